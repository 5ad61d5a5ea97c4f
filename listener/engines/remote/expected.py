"""What a server must give to be trusted: the bundle's model by its name, and the golden scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import Bundle, ServedModel, served_model
from listener.detection.features import log_mel_patches
from listener.engines.remote.channel import Datatype, ServerError

# Where patches travel as float16 YAMNet's golden scores are 0.001 off, and 0.002 on recordings.
FLOAT16_TOLERANCE = 5e-3


@dataclass(frozen=True, slots=True)
class Expected:
    """The golden check of a bundle, read once: its files may go while servers come and go."""

    model: ServedModel
    patches: NDArray[np.float32]
    scores: NDArray[np.float32]
    tolerance: float

    def check(self, scores: NDArray[np.float32], datatype: Datatype) -> None:
        """Compare scores of the patches, which travelled as `datatype`.

        Raises:
            ServerError: they are of another shape, or too far off.
        """
        if scores.shape != self.scores.shape:
            raise ServerError(
                f"golden check: expected scores {self.scores.shape}, its model gives {scores.shape}"
            )
        rounding = FLOAT16_TOLERANCE if datatype == "FP16" else 0.0
        tolerance = max(self.tolerance, rounding)
        difference = float(np.abs(scores - self.scores).max())
        if not difference <= tolerance:
            raise ServerError(
                f"golden check: expected scores within {tolerance:g}, they differ by {difference:.2g}"
            )


def expected_of(bundle: Bundle) -> Expected:
    """What a server of this bundle must give.

    Raises:
        BundleError: the golden file holds something else.
    """
    golden = bundle.read_golden()
    patches = log_mel_patches(golden.waveform, bundle.manifest.features)
    return Expected(served_model(bundle), patches, golden.scores, golden.tolerance)

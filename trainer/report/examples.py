"""An example clip as the report shows it: its samples and what the bundle makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import Samples
from listener.detection.bundle import Bundle
from listener.detection.features import log_mel_patches
from listener.detection.params import FeatureParams
from trainer.data.audio import read_audio
from trainer.evaluation.examples import Example
from trainer.evaluation.scored_file import ScoredFile
from trainer.evaluation.scoring import Scorer, score_file

LONGEST_SECONDS = 30.0  # of a clip; a longer one is shown from its beginning


@dataclass(frozen=True, slots=True)
class ExampleView:
    """Samples, float32 (n,); log-mel, float32 (n_frames, bands); scores of all labels of the bundle."""

    example: Example
    samples: Samples
    log_mel: NDArray[np.float32]
    file: ScoredFile
    features: FeatureParams

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / self.features.sample_rate_hz


def show(example: Example, bundle: Bundle, scorer: Scorer) -> ExampleView:
    """Read the clip again; few are shown, so that none had to be kept.

    Raises:
        DataError: it cannot be read any more.
    """
    features = bundle.manifest.features
    samples = read_audio(example.clip, features.sample_rate_hz)
    samples = samples[: round(LONGEST_SECONDS * features.sample_rate_hz)]
    file = score_file(scorer, samples, example.clip.path.name, example.clip.spans)
    return ExampleView(example, samples, join_patches(samples, features), file, features)


def join_patches(samples: Samples, features: FeatureParams) -> NDArray[np.float32]:
    """The log-mel as the model sees it, float32 (n_frames, bands), overlapping patches once."""
    first, *rest = log_mel_patches(samples, features)
    return np.concatenate((first, *(patch[-features.patch_hop_frames :] for patch in rest)))

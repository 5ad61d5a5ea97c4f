"""What every engine gives."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class EngineError(Exception):
    """The engine cannot be built or trusted; one line that says what was expected and what came."""


class Engine(Protocol):
    """A loaded model, used by one thread."""

    def infer(
        self, patches: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Log-mel patches (B, 96, 64), B >= 1 -> scores (B, K) in [0, 1], embeddings (B, D).

        All are float32. The arrays are the caller's: a later call does not change them.
        """

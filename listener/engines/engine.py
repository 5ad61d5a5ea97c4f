"""What every engine gives."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import Infer
from listener.detection.features import FrontEnd, WindowFrames, contents_of, make_front_end
from listener.detection.params import FeatureParams

Outputs = tuple[NDArray[np.float32], NDArray[np.float32]]  # scores (B, K), embeddings (B, D)


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


@runtime_checkable
class WindowEngine(Protocol):
    """An engine that makes the log-mel itself, where it computes."""

    def infer_windows(self, windows: NDArray[np.float32]) -> Outputs:
        """Windows (B, 15600), B >= 1 -> what `Engine.infer` gives for the patches in them."""


def front_end_of(engine: Engine, params: FeatureParams) -> FrontEnd:
    """What makes of samples what the engine takes; any number of streams of one thread may share it."""
    return WindowFrames(params) if isinstance(engine, WindowEngine) else make_front_end(params)


def infer_of(engine: Engine) -> Infer:
    """How the engine takes what its front end makes."""
    return engine.infer_windows if isinstance(engine, WindowEngine) else engine.infer


def silent_batch(engine: Engine, params: FeatureParams, count: int) -> NDArray[np.float32]:
    """What the engine takes of silence, float32 (count, ...)."""
    silence = np.zeros(params.window_samples, np.float32)
    return np.stack(contents_of(silence, params, front_end_of(engine, params)) * count)


def takes_alike(one: Engine, other: Engine) -> bool:
    """Whether both take windows, or both log-mel."""
    return isinstance(one, WindowEngine) == isinstance(other, WindowEngine)

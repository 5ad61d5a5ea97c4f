"""The interface of every engine."""

import importlib
from types import ModuleType
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import Infer
from listener.detection.features import FrontEnd, WindowFrames, contents_of, make_front_end
from listener.detection.params import FeatureParams

Outputs = tuple[NDArray[np.float32], NDArray[np.float32]]  # scores (B, K), embeddings (B, D)


class EngineError(Exception):
    """The engine cannot be built or trusted; one line, what was expected and what came."""


class Engine(Protocol):
    """A loaded model, used by one thread."""

    def infer(self, patches: NDArray[np.float32]) -> Outputs:
        """Log-mel patches (B, 96, 64), B >= 1 -> scores (B, K) in [0, 1], embeddings (B, D).

        All are float32. The arrays belong to the caller: a later call does not change them.
        """


@runtime_checkable
class WindowEngine(Protocol):
    """An engine that also computes the log-mel, on its own device."""

    def infer_windows(self, windows: NDArray[np.float32]) -> Outputs:
        """Windows (B, 15600), B >= 1 -> what `Engine.infer` gives for their patches."""


def front_end_of(engine: Engine, params: FeatureParams) -> FrontEnd:
    """What turns samples into the engine's input; the streams of one thread may share it."""
    return WindowFrames(params) if isinstance(engine, WindowEngine) else make_front_end(params)


def infer_of(engine: Engine) -> Infer:
    """The method that takes what the engine's front end gives."""
    return engine.infer_windows if isinstance(engine, WindowEngine) else engine.infer


def silent_batch(engine: Engine, params: FeatureParams, count: int) -> NDArray[np.float32]:
    """The engine's input for silence, float32 (count, ...)."""
    silence = np.zeros(params.window_samples, np.float32)
    return np.stack(contents_of(silence, params, front_end_of(engine, params)) * count)


def same_input(one: Engine, other: Engine) -> bool:
    """Whether both take windows, or both log-mel."""
    return isinstance(one, WindowEngine) == isinstance(other, WindowEngine)


def import_extra(module: str, engine: str, extra: str) -> ModuleType:
    """A module that comes with an extra of this package.

    Raises:
        EngineError: it is not installed; the line names the engine and the extra.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        raise EngineError(
            f"the {engine} engine: {package} is not installed: pip install 'earshot[{extra}]'"
        ) from error

"""Opens the engine and the sources that the settings name; each is imported only when it is used."""

import logging
import math
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from listener.config import sources, station
from listener.config.engine import EngineKind, EngineSettings
from listener.detection.bundle import Bundle, BundleError, check_golden
from listener.detection.features import contents_of
from listener.engines.engine import Engine, front_end_of, infer_of
from listener.engines.selection import EngineChoice, fastest_engine
from listener.health import Health, RemoteHealth
from listener.pipeline.capture import SourcePlan
from listener.sources.source import AudioSource

log = logging.getLogger(__name__)

# Retrying a local device is cheap; with the time to open it and for a patch, it is back within 5 s
_MICROPHONE_BACKOFF_LIMIT_SECONDS = 2.5
_GPU_DEVICE = Path("/dev/nvidiactl")


def open_engine(bundle: Bundle, settings: EngineSettings, health: Health | None = None) -> Engine:
    """The engine that the settings name or choose, with the bundle's model, after its golden check.

    Raises:
        BundleError: the model cannot be used, or does not give the golden scores.
        EngineError: the engine is not installed, or no server answers.
        ConfigError: the settings name a remote engine and no server.
    """
    return choose_engine(bundle, settings, health).engine


def choose_engine(
    bundle: Bundle, settings: EngineSettings, health: Health | None = None
) -> EngineChoice:
    """The engine that the settings name; under `auto` the fastest of the installed ones, measured.

    Raises:
        BundleError, EngineError, ConfigError: as `open_engine`.
    """
    if settings.kind == "remote":
        return EngineChoice("remote", _open_remote(bundle, settings, health), "the config names it")
    if settings.kind != "auto":
        engine = _open_local(settings.kind, bundle, settings)
        return EngineChoice(settings.kind, engine, "the config names it")
    openers = {kind: partial(_open_local, kind, bundle, settings) for kind in installed_kinds()}
    choice = fastest_engine(openers, partial(_typical_batch, bundle, settings.max_batch))
    log.info("engine %s: %s", choice.kind, choice.why)
    return choice


def installed_kinds() -> tuple[EngineKind, ...]:
    """The engines worth measuring here, LiteRT first; TensorFlow only beside a GPU.

    On a CPU it is never the fastest, and its import takes seconds and 400 MB.
    """
    kinds: list[EngineKind] = ["litert"]
    if find_spec("openvino") is not None:
        kinds.append("openvino")
    if _GPU_DEVICE.exists() and find_spec("tensorflow") is not None:
        kinds.append("tensorflow")
    return tuple(kinds)


def _typical_batch(bundle: Bundle, count: int, engine: Engine) -> NDArray[np.float32]:
    """A batch of the golden waveform in the form that the engine takes, (count, ...)."""
    params = bundle.manifest.features
    waveform = bundle.read_golden().waveform
    contents = np.stack(contents_of(waveform, params, front_end_of(engine, params)))
    return np.resize(contents, (count, *contents.shape[1:]))


def _open_local(kind: EngineKind, bundle: Bundle, settings: EngineSettings) -> Engine:
    engine: Engine
    match kind:
        case "litert":
            from listener.engines.litert import LiteRTEngine  # noqa: PLC0415

            engine = LiteRTEngine(bundle.model_path, settings.threads, settings.max_batch)
        case "openvino":
            from listener.engines.openvino import OpenVINOEngine  # noqa: PLC0415

            engine = OpenVINOEngine(bundle.model_path, settings.threads)
        case "tensorflow":
            from listener.engines.tensorflow import open_tensorflow  # noqa: PLC0415

            engine = open_tensorflow(
                bundle.saved_model_path, settings.threads, settings.max_batch, settings.front_end
            )
    try:
        check_golden(bundle, infer_of(engine), front_end_of(engine, bundle.manifest.features))
    except (RuntimeError, ValueError) as error:  # what engines raise for models they cannot run
        raise BundleError(f"{bundle.path}: golden check: the engine failed: {error}") from error
    return engine


def _open_remote(bundle: Bundle, settings: EngineSettings, health: Health | None) -> Engine:
    from listener.engines.remote.remote_engine import open_remote  # noqa: PLC0415 - an extra

    remote = settings.remote
    if not remote.urls:
        raise station.ConfigError(
            "engine.remote.urls: expected at least one model server, got none"
        )
    local = settings.model_copy(update={"kind": remote.fallback, "front_end": "cpu"})
    fallback = None if remote.fallback == "none" else _open_local(remote.fallback, bundle, local)
    if health is None:
        return open_remote(bundle, remote, fallback, RemoteHealth.of(remote.urls))
    beat = partial(health.beat, "inference")  # the inference thread waits for the servers
    return open_remote(bundle, remote, fallback, health.add_remote(remote.urls), beat)


def plan_source(settings: sources.SourceSettings) -> SourcePlan:
    """How the pipeline runs a source."""
    lossless = isinstance(settings, sources.FileSettings) and settings.pace == "fast"
    is_microphone = isinstance(settings, sources.MicrophoneSettings)
    restarts = is_microphone or (
        isinstance(settings, sources.StreamSettings) and settings.at_end == "restart"
    )
    backoff_limit_seconds = _MICROPHONE_BACKOFF_LIMIT_SECONDS if is_microphone else math.inf
    opener = partial(open_source, settings)
    return SourcePlan(settings.name, opener, lossless, restarts, backoff_limit_seconds)


def open_source(settings: sources.SourceSettings) -> AudioSource:
    """An open source.

    Raises:
        SourceError: it cannot be opened, or the library that it needs is not installed.
    """
    match settings:
        case sources.MicrophoneSettings():
            from listener.sources.microphone import MicrophoneSource  # noqa: PLC0415

            return MicrophoneSource(settings)
        case sources.FileSettings():
            from listener.sources.file import FileSource  # noqa: PLC0415

            return FileSource(settings)
        case sources.StdinSettings():
            from listener.sources.stdin import StdinSource  # noqa: PLC0415

            return StdinSource(settings)
        case sources.StreamSettings():
            from listener.sources.stream import StreamSource  # noqa: PLC0415

            return StreamSource(settings)

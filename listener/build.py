"""Builds the parts of a station from its settings; the one place that knows the concrete adapters."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from listener.clips.extractor import ExtractionPlan
from listener.config.engine import DetectionSettings, EngineKind, EngineSettings
from listener.config.outputs import WebhookSettings
from listener.config.sources import (
    FileSettings,
    MicrophoneSettings,
    SourceSettings,
    StdinSettings,
    StreamSettings,
)
from listener.config.station import ClipsSettings, Config, ConfigError
from listener.detection.bundle import Bundle, BundleError, check_golden
from listener.detection.features import contents_of
from listener.detection.labels import SPEECH_LABELS, LabelColumns, LabelGroup, PrivateScores
from listener.detection.policy import LabelPolicy
from listener.engines.engine import Engine, front_end_of, infer_of
from listener.engines.selection import EngineChoice, fastest_engine
from listener.health import Health, RemoteHealth
from listener.outbox.disk import OutboxError
from listener.outbox.outbox import Outbox
from listener.outbox.store import Bounds
from listener.pipeline.capture import SourcePlan
from listener.pipeline.plan import ClipPlan, DetectionPlan
from listener.planning import check_quiet_labels, choose_groups, choose_params, choose_policies
from listener.sinks.event_document import EventDocuments
from listener.sinks.event_file import EventFileSink
from listener.sinks.hook import HookSink
from listener.sinks.sink import Sink
from listener.sinks.webhook import TOPIC, Receiver, WebhookSink, WebhookTransport
from listener.sources.source import AudioSource

log = logging.getLogger(__name__)

# Trying a device of this computer again costs little; with opening it and a patch, it is back within 5 s.
_MICROPHONE_BACKOFF_SECONDS = 2.5
_KEEP_DAYS = 1.0  # of what was taken: for a person who looks into the file


_GPU_DEVICE = Path("/dev/nvidiactl")


OpenEngine = Callable[[Bundle, EngineSettings, Health], Engine]


@dataclass(frozen=True, slots=True)
class ChosenLabel:
    """A label that is looked for: its policy, and the labels of the bundle that it is made of."""

    policy: LabelPolicy
    members: tuple[str, ...]


def open_engine(bundle: Bundle, settings: EngineSettings, health: Health | None = None) -> Engine:
    """The engine that the settings name or choose, with the bundle's model, after its golden check.

    Raises:
        BundleError: the model cannot be used, or does not give the golden scores.
        EngineError: the engine is not installed, or nothing answers where it should be.
        ConfigError: the settings name a remote engine and no server.
    """
    return choose_engine(bundle, settings, health).engine


def choose_engine(
    bundle: Bundle, settings: EngineSettings, health: Health | None = None
) -> EngineChoice:
    """The engine that the settings name, or under `auto` the fastest of what is installed, measured.

    Raises:
        BundleError, EngineError, ConfigError: as `open_engine`.
    """
    if settings.kind == "remote":
        return EngineChoice("remote", _open_remote(bundle, settings, health), "the config names it")
    if settings.kind != "auto":
        return EngineChoice(
            settings.kind, _open_kind(settings.kind, bundle, settings), "the config names it"
        )
    openers = {kind: partial(_open_kind, kind, bundle, settings) for kind in installed_kinds()}
    choice = fastest_engine(openers, partial(_typical_batch, bundle, settings.max_batch))
    log.info("engine %s: %s", choice.kind, choice.why)
    return choice


def installed_kinds() -> tuple[EngineKind, ...]:
    """The engines worth a try here, LiteRT first; TensorFlow only beside a GPU.

    On a CPU it is never the fastest, and its import takes seconds and 400 MB.
    """
    kinds: list[EngineKind] = ["litert"]
    if find_spec("openvino") is not None:
        kinds.append("openvino")
    if _GPU_DEVICE.exists() and find_spec("tensorflow") is not None:
        kinds.append("tensorflow")
    return tuple(kinds)


def _typical_batch(bundle: Bundle, count: int, engine: Engine) -> NDArray[np.float32]:
    """What the engine takes of the golden check's waveform, (count, ...), as often as it takes."""
    params = bundle.manifest.features
    waveform = bundle.read_golden().waveform
    contents = np.stack(contents_of(waveform, params, front_end_of(engine, params)))
    return np.resize(contents, (count, *contents.shape[1:]))


def _open_kind(kind: EngineKind, bundle: Bundle, settings: EngineSettings) -> Engine:
    engine = _load_engine(kind, bundle, settings)
    try:
        check_golden(bundle, infer_of(engine), front_end_of(engine, bundle.manifest.features))
    except (RuntimeError, ValueError) as error:  # what the engines raise of what they cannot run
        raise BundleError(f"{bundle.path}: golden check: the engine failed: {error}") from error
    return engine


def _open_remote(bundle: Bundle, settings: EngineSettings, health: Health | None) -> Engine:
    from listener.engines.remote.engine import open_remote  # noqa: PLC0415 - an extra

    remote = settings.remote
    if not remote.urls:
        raise ConfigError("engine.remote.urls: expected at least one model server, got none")
    local = settings.model_copy(update={"kind": remote.fallback, "front_end": "cpu"})
    fallback = None if remote.fallback == "none" else _open_kind(remote.fallback, bundle, local)
    if health is None:
        return open_remote(bundle, remote, fallback, RemoteHealth.of(remote.urls))
    beat = partial(health.beat, "inference")  # its thread is the one that waits for a server
    return open_remote(bundle, remote, fallback, health.add_remote(remote.urls), beat)


def _load_engine(kind: EngineKind, bundle: Bundle, settings: EngineSettings) -> Engine:
    # each engine is imported only when it is used: TensorFlow takes seconds and 400 MB
    match kind:
        case "litert":
            from listener.engines.litert import LiteRTEngine  # noqa: PLC0415

            return LiteRTEngine(bundle.model_path, settings.threads, settings.max_batch)
        case "openvino":
            from listener.engines.openvino import OpenVINOEngine  # noqa: PLC0415

            return OpenVINOEngine(bundle.model_path, settings.threads)
        case "tensorflow":
            from listener.engines.tensorflow import open_tensorflow  # noqa: PLC0415

            return open_tensorflow(
                bundle.saved_model_path, settings.threads, settings.max_batch, settings.front_end
            )


def plan_station(bundle: Bundle, config: Config) -> DetectionPlan:
    """What a station looks for, and which clips it keeps.

    Raises:
        ConfigError: the config names a label that the bundle has not, or impossible values.
    """
    groups = choose_groups(bundle, config)
    plan = make_detection_plan(bundle, config.detection, config.station, config.clips, groups)
    check_quiet_labels(config.quiet, plan.policies)
    return plan


def make_detection_plan(
    bundle: Bundle,
    settings: DetectionSettings,
    namespace: str,
    clips: ClipsSettings | None = None,
    groups: Sequence[LabelGroup] = (),
) -> DetectionPlan:
    """What is looked for, and which clips are kept; `namespace` (the station) makes event ids its own.

    Raises:
        ConfigError: the settings name a label that the bundle has not, or impossible values.
    """
    policies = choose_policies(bundle, settings, groups)
    members = {group.label.slug: group.members for group in groups}
    looked_for = {
        slug: ChosenLabel(policy, members.get(slug, (slug,))) for slug, policy in policies.items()
    }
    place = {slug: column for column, slug in enumerate(bundle.labels)}
    columns = LabelColumns.of(
        [[place[slug] for slug in wanted.members] for wanted in looked_for.values()]
    )
    params = choose_params(bundle, settings)
    kept = None if clips is None or not clips.enabled else make_clip_plan(bundle, clips, looked_for)
    return DetectionPlan(
        params, policies, columns, bundle.id, namespace, clips=kept, groups=tuple(groups)
    )


def make_clip_plan(
    bundle: Bundle, settings: ClipsSettings, looked_for: Mapping[str, ChosenLabel]
) -> ClipPlan:
    """Which clips are kept.

    People are heard in all that the bundle knows, also in what is not looked for. Nothing is kept of
    a group that has a private member.

    Raises:
        ConfigError: a private label that the bundle has not.
    """
    private = _private_labels(bundle, settings, looked_for)
    columns = [column for column, slug in enumerate(bundle.labels) if slug in private]
    thresholds = [_heard_from(bundle.labels[column], bundle, looked_for) for column in columns]
    cutting = ExtractionPlan(
        frozenset(
            slug for slug, wanted in looked_for.items() if private.isdisjoint(wanted.members)
        ),
        settings.pre_seconds,
        settings.post_seconds,
        settings.max_seconds,
        settings.near_misses_per_hour,
        settings.ambient_per_hour,
    )
    scores = PrivateScores(np.array(columns, np.intp), np.array(thresholds, np.float32))
    return ClipPlan(cutting, scores)


def _private_labels(
    bundle: Bundle, settings: ClipsSettings, looked_for: Mapping[str, ChosenLabel]
) -> set[str]:
    private = set() if settings.keep_speech else set(SPEECH_LABELS)
    for slug in settings.private_labels:
        if slug not in bundle.labels and slug not in looked_for:
            raise ConfigError(f"clips.private_labels: {bundle.id} has no label {slug!r}")
        private |= set(looked_for[slug].members) if slug in looked_for else {slug}
    return private


def _heard_from(slug: str, bundle: Bundle, looked_for: Mapping[str, ChosenLabel]) -> float:
    """The score at which a label counts as heard: where the first of what it makes would close."""
    own = looked_for.get(slug)
    alone = own is not None and own.members == (slug,)
    policies = [wanted.policy for wanted in looked_for.values() if slug in wanted.members]
    if not alone:  # a group that was made less alert must not make speech less private
        policies.append(bundle.manifest.policies[slug])
    return min(policy.off_threshold for policy in policies)


def plan_source(settings: SourceSettings) -> SourcePlan:
    """How the pipeline runs a source."""
    lossless = isinstance(settings, FileSettings) and settings.pace == "fast"
    is_microphone = isinstance(settings, MicrophoneSettings)
    restarts = is_microphone or (
        isinstance(settings, StreamSettings) and settings.at_end == "restart"
    )
    backoff_limit_seconds = _MICROPHONE_BACKOFF_SECONDS if is_microphone else math.inf
    opener = partial(open_source, settings)
    return SourcePlan(settings.name, opener, lossless, restarts, backoff_limit_seconds)


def open_source(settings: SourceSettings) -> AudioSource:
    """An open source.

    Raises:
        SourceError: it cannot be opened, or what it needs is not installed.
    """
    match settings:
        case MicrophoneSettings():
            from listener.sources.microphone import MicrophoneSource  # noqa: PLC0415

            return MicrophoneSource(settings)
        case FileSettings():
            from listener.sources.file import FileSource  # noqa: PLC0415

            return FileSource(settings)
        case StdinSettings():
            from listener.sources.stdin import StdinSource  # noqa: PLC0415

            return StdinSource(settings)
        case StreamSettings():
            from listener.sources.stream import StreamSource  # noqa: PLC0415

            return StreamSource(settings)


# Where events go beside MQTT: a server, a file, a program.


class EventOutputs:
    """The sinks, and what runs behind them; `names` are those for people, by label.

    Raises:
        ConfigError: a file cannot be used.
    """

    def __init__(self, config: Config, names: Mapping[str, str], health: Health) -> None:
        self.sinks: dict[str, Sink] = {}
        self._carrier: WebhookTransport | None = None
        self._outbox: Outbox | None = None
        self._station, self._names, self._health = config.station, names, health
        if config.webhook is not None:
            self._open_webhook(config.webhook)
        if config.event_file is not None:
            self.sinks["event_file"] = EventFileSink(config.event_file, self._documents(), health)
        if config.hook is not None:
            self.sinks["hook"] = HookSink(config.hook, self._documents(), health)

    def _documents(self) -> EventDocuments:
        return EventDocuments(self._station, self._names)

    def _open_webhook(self, settings: WebhookSettings) -> None:
        self._carrier = WebhookTransport(Receiver(settings))
        bounds = Bounds(settings.max_waiting, _KEEP_DAYS)
        try:
            self._outbox = Outbox(
                settings.waiting_file,
                bounds,
                self._station,
                TOPIC,
                self._carrier,
                self._health,
                TOPIC,
                doubtful_seconds=0.0,  # a server answers when it has dealt with it
            )
        except OutboxError as error:
            raise ConfigError(f"webhook: {error}") from error
        self._carrier.set_listener(self._outbox)
        self.sinks["webhook"] = WebhookSink(self._outbox, self._documents())

    def start(self) -> None:
        """Begin to send."""
        for part in (self._outbox, self._carrier):
            if part is not None:
                part.start()

    def close(self) -> None:
        """Send what is left if the server takes it, for a second or so; all of it is on disk."""
        for part in (self._outbox, self._carrier):
            if part is not None:
                part.close()

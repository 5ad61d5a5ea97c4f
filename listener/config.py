"""The settings of a station, table by table: frozen, checked, each with its default."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from listener.detection.audio import HIGHEST_RATE_HZ, LOWEST_RATE_HZ, MOST_CHANNELS
from listener.group_settings import GroupSettings
from listener.outlet_settings import (
    EventFileSettings,
    HookSettings,
    QuietSettings,
    WebhookSettings,
)
from listener.remote_settings import RemoteSettings
from listener.settings import Duration, PerHour, Port, Seconds, Settings, Slug, Threshold


class ConfigError(Exception):
    """The config cannot be used; one line that names file, key, value and what is allowed."""


class _SourceSettings(Settings):
    name: Slug


class MicrophoneSettings(_SourceSettings):
    """A capture device of PortAudio, by the stable name that `listener devices` prints."""

    kind: Literal["microphone"]
    device: str | None = None  # None: the system's default input


class FileSettings(_SourceSettings):
    """An audio file, played at the speed of time or as fast as it can be analysed."""

    kind: Literal["file"]
    path: Path
    pace: Literal["realtime", "fast"] = "realtime"
    at_end: Literal["stop", "restart"] = "stop"


class StdinSettings(_SourceSettings):
    """Standard input: raw signed 16-bit little-endian PCM, or a WAV stream, which knows its own form."""

    kind: Literal["stdin"]
    format: Literal["s16le", "wav"] = "s16le"
    sample_rate_hz: Annotated[int, Field(ge=LOWEST_RATE_HZ, le=HIGHEST_RATE_HZ)] = 16_000
    channels: Annotated[int, Field(ge=1, le=MOST_CHANNELS)] = 1


class StreamSettings(_SourceSettings):
    """Anything that FFmpeg opens: HTTP, RTSP, a file in any codec."""

    kind: Literal["stream"]
    url: str
    open_timeout_seconds: Seconds = 10.0
    read_timeout_seconds: Seconds = 5.0
    rtsp_transport: Literal["tcp", "udp"] = "tcp"
    at_end: Literal["stop", "restart"] = "restart"


SourceSettings = Annotated[
    MicrophoneSettings | FileSettings | StdinSettings | StreamSettings,
    Field(discriminator="kind"),
]


class BackoffSettings(Settings):
    """How long a lost source rests: doubled after each failure, with jitter, up to the limit."""

    first_seconds: Seconds = 0.5
    limit_seconds: Seconds = 30.0


class ConditionSettings(Settings):
    """When a source that gives audio counts as silent or as clipping."""

    silent_below_dbfs: Annotated[float, Field(ge=-120, le=0)] = -90.0  # -120: never
    silent_after_seconds: Seconds = 30.0
    clipping_share: Annotated[float, Field(gt=0, le=1)] = 0.01  # of samples at full scale
    clipping_after_seconds: Seconds = 5.0


EngineKind = Literal["litert", "openvino", "tensorflow"]  # what `auto` may choose
FrontEndPlace = Literal["auto", "cpu", "device"]


class EngineSettings(Settings):
    """What computes scores, and how patches are gathered for it."""

    kind: Literal["litert", "openvino", "tensorflow", "remote", "auto"] = "litert"
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    front_end: FrontEndPlace = (
        "auto"  # where the log-mel is made; auto: on a GPU, if TensorFlow has one
    )
    max_batch: Annotated[int, Field(ge=1, le=4096)] = 16
    max_wait_ms: Annotated[float, Field(ge=0, le=1000)] = 40.0
    queue_seconds: Seconds = 15.0  # so far behind, a source loses the older half of its patches
    remote: RemoteSettings = RemoteSettings()

    @model_validator(mode="after")
    def _check_front_end(self) -> EngineSettings:
        if self.front_end == "device" and self.kind != "tensorflow":
            raise ValueError(f'front_end: expected kind "tensorflow" for "device", got {self.kind}')
        return self


class PolicySettings(Settings):
    """Replaces single values of the bundle's LabelPolicy."""

    on_threshold: Threshold | None = None
    off_threshold: Threshold | None = None
    smoothing_seconds: Duration | None = None
    min_duration_seconds: Duration | None = None
    max_gap_seconds: Duration | None = None
    refractory_seconds: Duration | None = None


class DetectionSettings(Settings):
    """Which labels make events, and how."""

    labels: tuple[str, ...] = ()  # slugs, beside groups; empty: groups, or all of the bundle
    patch_hop_seconds: Seconds | None = None  # None: the bundle's
    default_policy: PolicySettings = PolicySettings()
    policies: dict[str, PolicySettings] = Field(default_factory=dict)


class TlsSettings(Settings):
    """TLS to the broker; the host name is always checked."""

    ca_file: Path | None = None  # None: the system's authorities
    certificate_file: Path | None = None
    key_file: Path | None = None


class MqttSettings(Settings):
    """The one broker."""

    host: str = "127.0.0.1"
    port: Port = 1883
    protocol: Literal["5", "3.1.1"] = "5"
    username: str | None = None
    password_file: Path | None = None
    tls: TlsSettings | None = None
    topic_prefix: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")] = "earshot"
    level_interval_seconds: Duration = 1.0


class OutboxSettings(Settings):
    """Events wait here until the broker has them; with a table [mqtt]."""

    enabled: bool = True  # false: they wait in memory, and a crash or a restart loses them
    path: Path = Path("outbox.db")
    max_events: Annotated[int, Field(ge=100, le=10_000_000)] = 100_000  # that wait
    keep_days: Annotated[float, Field(gt=0)] = 7.0  # of what was sent, for the command replay


class HomeAssistantSettings(Settings):
    """Every source becomes a device of Home Assistant, by MQTT discovery; with a table [mqtt]."""

    enabled: bool = False
    discovery_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_/-]{1,128}$")] = "homeassistant"
    birth_topic: Annotated[str, Field(pattern=r"^[A-Za-z0-9_/-]{1,128}$")] = "homeassistant/status"
    state_file: Path = Path("homeassistant.json")  # what was announced, to take back what is gone
    frigate_mirror: Annotated[str, Field(pattern=r"^[a-z0-9_-]{0,64}$")] = ""  # "": none


class HttpSettings(Settings):
    """/metrics, /healthz and /readyz."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 9464  # 0: any that is free
    ready_within_seconds: Seconds = 10.0


class ConsoleSettings(Settings):
    """Events on stdout, one a line."""

    enabled: bool = True
    format: Literal["text", "jsonl"] = "text"


class ControlSettings(Settings):
    """What may be changed from outside while the station runs; commands are off until configured."""

    mqtt: bool = False  # commands on <prefix>/<station>/command/<name>
    answer_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_/-]{1,128}$")] | None = None
    http_token_file: Path | None = None  # None: no commands over HTTP
    state_file: Path = Path("state.json")  # mutes and thresholds, kept over restarts
    rollback_factor: Annotated[float, Field(gt=1)] | None = None  # None: a new bundle is not judged
    rollback_least_events: Annotated[int, Field(ge=2)] = 20  # fewer in an hour are no jump


class ClipsSettings(Settings):
    """Which sound is kept, and for how long."""

    enabled: bool = False
    directory: Path = Path("clips")
    pre_seconds: Duration = 2.0
    post_seconds: Duration = 2.0
    max_seconds: Annotated[float, Field(ge=5, le=600)] = (
        30.0  # of a clip, with what is before and after
    )
    near_misses_per_hour: PerHour = 4.0  # of each source
    ambient_per_hour: PerHour = 1.0  # of each source
    keep_days: Annotated[float, Field(gt=0)] = 30.0
    keep_megabytes: Annotated[float, Field(gt=0)] = 2000.0
    keep_free_megabytes: Annotated[float, Field(ge=0)] = 100.0  # of the disk, for the events
    private_labels: tuple[Slug, ...] = ()  # beside those of human speech
    keep_speech: bool = False
    new_labels: bool = False  # verdicts may name labels that the bundle has not


class ReviewSettings(Settings):
    """The page on which people listen and give verdicts; `pip install 'earshot[review]'`."""

    enabled: bool = False
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 9465  # 0: any that is free

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:  # a name
            return False


class Config(Settings):
    """A station."""

    station: Slug = "earshot"
    bundle: Path
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    sources: tuple[SourceSettings, ...]
    backoff: BackoffSettings = BackoffSettings()
    condition: ConditionSettings = ConditionSettings()
    engine: EngineSettings = EngineSettings()
    detection: DetectionSettings = DetectionSettings()
    label_set: Literal["home", "industrial"] | None = None
    labels: dict[Slug, GroupSettings] = Field(default_factory=dict)  # by the slug of the group
    mqtt: MqttSettings | None = None
    outbox: OutboxSettings = OutboxSettings()
    homeassistant: HomeAssistantSettings = HomeAssistantSettings()
    http: HttpSettings = HttpSettings()
    console: ConsoleSettings = ConsoleSettings()
    webhook: WebhookSettings | None = None
    event_file: EventFileSettings | None = None
    hook: HookSettings | None = None
    quiet: tuple[QuietSettings, ...] = ()
    clips: ClipsSettings = ClipsSettings()
    control: ControlSettings = ControlSettings()
    review: ReviewSettings = ReviewSettings()

    @model_validator(mode="after")
    def _check_sources(self) -> Config:
        if not self.sources:
            raise ValueError("sources: expected at least one, got none")
        names = [source.name for source in self.sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"sources: each name once, found twice: {', '.join(twice)}")
        if sum(source.kind == "stdin" for source in self.sources) > 1:
            raise ValueError("sources: at most one of kind stdin")
        return self

    @model_validator(mode="after")
    def _check_quiet(self) -> Config:
        names = {source.name for source in self.sources}
        for quiet in self.quiet:
            unknown = sorted(set(quiet.sources) - names)
            if unknown:
                raise ValueError(
                    f"quiet.sources: expected of {', '.join(sorted(names))}, got {', '.join(unknown)}"
                )
        return self

    @model_validator(mode="after")
    def _check_control(self) -> Config:
        if self.control.mqtt and self.mqtt is None:
            raise ValueError("control.mqtt: expected a table [mqtt] beside it, there is none")
        served = self.http.enabled or self.review.enabled
        if self.control.http_token_file is not None and not served:
            raise ValueError("control.http_token_file: expected http.enabled = true beside it")
        return self

    @model_validator(mode="after")
    def _check_homeassistant(self) -> Config:
        home = self.homeassistant
        if self.mqtt is None and (home.enabled or home.frigate_mirror):
            raise ValueError("homeassistant: expected a table [mqtt] beside it, there is none")
        return self

    @model_validator(mode="after")
    def _check_review(self) -> Config:
        without_token = self.control.http_token_file is None
        if self.review.enabled and without_token and not self.review.is_local:
            raise ValueError(
                "review.host: expected control.http_token_file beside an address that others can reach"
            )
        return self

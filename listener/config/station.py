"""The settings of a whole station."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from listener.config import outputs
from listener.config.engine import DetectionSettings, EngineSettings
from listener.config.settings import Duration, PerHour, Seconds, Settings, Slug
from listener.config.sources import BackoffSettings, ConditionSettings, SourceSettings


class ConfigError(Exception):
    """The config cannot be used; one line that names file, key, value and what is allowed."""


class GroupSettings(Settings):
    """Labels of the bundle that are reported as one; in short a list of them, or a single one."""

    members: tuple[str, ...]  # names or slugs of the bundle, in any case
    name: Annotated[str, Field(min_length=1, max_length=64)] | None = None  # None: from its slug

    @model_validator(mode="before")
    @classmethod
    def _accept_members_alone(cls, value: object) -> object:
        table = value if isinstance(value, dict) else {"members": value}
        members = table.get("members")
        if isinstance(members, str):
            return table | {"members": (members,)}
        # Python input, no longer JSON: strict validation accepts no list for a tuple
        return table | {"members": tuple(members)} if isinstance(members, list) else table


class HomeAssistantSettings(Settings):
    """Every source is a device in Home Assistant, by MQTT discovery; with a table [mqtt]."""

    enabled: bool = False
    discovery_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_/-]{1,128}$")] = "homeassistant"
    birth_topic: Annotated[str, Field(pattern=r"^[A-Za-z0-9_/-]{1,128}$")] = "homeassistant/status"
    state_file: Path = Path("homeassistant.json")  # what was announced, so that it can be removed
    frigate_mirror: Annotated[str, Field(pattern=r"^[a-z0-9_-]{0,64}$")] = ""  # "": none


class HttpSettings(Settings):
    """The endpoints /metrics, /healthz and /readyz."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 9464  # 0: any free port
    ready_within_seconds: Seconds = 10.0


class ConsoleSettings(Settings):
    """Events on stdout, one a line."""

    enabled: bool = True
    format: Literal["text", "jsonl"] = "text"


class ControlSettings(Settings):
    """Commands that change the running station; off until configured."""

    mqtt: bool = False  # on <prefix>/<station>/command/<name>
    answer_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_/-]{1,128}$")] | None = None
    http_token_file: Path | None = None  # None: no commands over HTTP
    state_file: Path = Path("state.json")  # mutes and thresholds survive restarts in it
    rollback_factor: Annotated[float, Field(gt=1)] | None = None  # None: off
    rollback_least_events: Annotated[int, Field(ge=2)] = 20  # in an hour


class ClipsSettings(Settings):
    """Which audio is kept, and for how long."""

    enabled: bool = False
    directory: Path = Path("clips")
    pre_seconds: Duration = 2.0
    post_seconds: Duration = 2.0
    max_seconds: Annotated[float, Field(ge=5, le=600)] = 30.0  # with what is before and after
    near_misses_per_hour: PerHour = 4.0  # of each source
    ambient_per_hour: PerHour = 1.0  # of each source
    keep_days: Annotated[float, Field(gt=0)] = 30.0
    keep_megabytes: Annotated[float, Field(gt=0)] = 2000.0
    keep_free_megabytes: Annotated[float, Field(ge=0)] = 100.0  # of the disk, for events
    private_labels: tuple[Slug, ...] = ()  # in addition to human speech
    keep_speech: bool = False
    new_labels: bool = False  # verdicts may name labels that the bundle does not have


class ReviewSettings(Settings):
    """The web page for listening to clips and giving verdicts; `pip install 'earshot[review]'`."""

    enabled: bool = False
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 9465  # 0: any free port

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
    """The whole station."""

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
    mqtt: outputs.MqttSettings | None = None
    outbox: outputs.OutboxSettings = outputs.OutboxSettings()
    homeassistant: HomeAssistantSettings = HomeAssistantSettings()
    http: HttpSettings = HttpSettings()
    console: ConsoleSettings = ConsoleSettings()
    webhook: outputs.WebhookSettings | None = None
    event_file: outputs.EventFileSettings | None = None
    hook: outputs.HookSettings | None = None
    quiet: tuple[outputs.QuietSettings, ...] = ()
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
            raise ValueError(f"sources: expected each name once, found twice: {', '.join(twice)}")
        if sum(source.kind == "stdin" for source in self.sources) > 1:
            raise ValueError("sources: expected at most one of kind stdin")
        return self

    @model_validator(mode="after")
    def _check_quiet(self) -> Config:
        names = {source.name for source in self.sources}
        for quiet in self.quiet:
            unknown = sorted(set(quiet.sources) - names)
            if unknown:
                raise ValueError(
                    f"quiet.sources: expected some of {', '.join(sorted(names))}, "
                    f"got {', '.join(unknown)}"
                )
        return self

    @model_validator(mode="after")
    def _check_control(self) -> Config:
        if self.control.mqtt and self.mqtt is None:
            raise ValueError("control.mqtt: expected a table [mqtt], there is none")
        served = self.http.enabled or self.review.enabled
        if self.control.http_token_file is not None and not served:
            raise ValueError("control.http_token_file: expected http.enabled = true with it")
        return self

    @model_validator(mode="after")
    def _check_homeassistant(self) -> Config:
        home = self.homeassistant
        if self.mqtt is None and (home.enabled or home.frigate_mirror):
            raise ValueError("homeassistant: expected a table [mqtt], there is none")
        return self

    @model_validator(mode="after")
    def _check_review(self) -> Config:
        without_token = self.control.http_token_file is None
        if self.review.enabled and without_token and not self.review.is_local:
            raise ValueError(
                "review.host: expected control.http_token_file with an address that others can reach"
            )
        return self

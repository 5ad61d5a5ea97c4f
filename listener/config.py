"""TOML -> frozen settings. An error names the file, the key, the value and what is allowed."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Slug = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]
Port = Annotated[int, Field(ge=1, le=65_535)]
Seconds = Annotated[float, Field(gt=0)]
Threshold = Annotated[float, Field(gt=0, le=1)]
Duration = Annotated[float, Field(ge=0)]


class ConfigError(Exception):
    """The config cannot be used; one line that names file, key, value and what is allowed."""


class Settings(BaseModel):
    """A table of the config: frozen, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


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
    sample_rate_hz: Annotated[int, Field(ge=1_000, le=768_000)] = 16_000
    channels: Annotated[int, Field(ge=1, le=64)] = 1


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


class EngineSettings(Settings):
    """What computes scores, and how patches are gathered for it."""

    kind: Literal["litert", "tensorflow"] = "litert"
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    max_batch: Annotated[int, Field(ge=1, le=4096)] = 16
    max_wait_ms: Annotated[float, Field(ge=0, le=1000)] = 10.0
    queue_seconds: Seconds = 15.0  # so far behind, a source loses the older half of its patches


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

    labels: tuple[str, ...] = ()  # slugs; empty: every label of the bundle
    patch_hop_seconds: Seconds | None = None  # None: the bundle's
    default_policy: PolicySettings = PolicySettings()
    policies: dict[str, PolicySettings] = {}


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


class Config(Settings):
    """A station."""

    station: Slug = "earshot"
    bundle: Path
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    sources: tuple[SourceSettings, ...]
    backoff: BackoffSettings = BackoffSettings()
    engine: EngineSettings = EngineSettings()
    detection: DetectionSettings = DetectionSettings()
    mqtt: MqttSettings | None = None
    http: HttpSettings = HttpSettings()
    console: ConsoleSettings = ConsoleSettings()

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


def load_config(path: Path) -> Config:
    """The settings in a TOML file; relative paths in it start at its directory.

    Raises:
        ConfigError: unreadable, not TOML, an unknown key, a wrong type or value.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the config: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: expected TOML: {error}") from error
    return _resolve(parse_config(document, str(path)), path.parent)


def parse_config(document: dict[str, Any], origin: str) -> Config:
    """The settings of a parsed document; `origin` is named in errors.

    Raises:
        ConfigError: an unknown key, a wrong type or value.
    """
    try:
        # strict, so that "2" is no number and 1 is no truth; as JSON, so that a string can be a path
        return Config.model_validate_json(json.dumps(document, default=str), strict=True)
    except ValidationError as error:
        raise ConfigError(f"{origin}: {_describe(error)}") from error


def _describe(error: ValidationError) -> str:
    problems = error.errors(include_url=False)
    first = problems[0]
    key = ".".join(str(part) for part in first["loc"])
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if first["type"] == "extra_forbidden":
        return f"{key}: unknown key{more}"
    if first["type"] == "missing":
        return f"{key}: {first['msg']}{more}"
    if first["type"] == "union_tag_not_found":
        return (
            f"{key}.kind: expected 'microphone', 'file', 'stdin' or 'stream', it is missing{more}"
        )
    value = "" if isinstance(first["input"], dict) else f", got {first['input']!r}"
    return f"{key + ': ' if key else ''}{first['msg'].removeprefix('Value error, ')}{value}{more}"


def _resolve(config: Config, directory: Path) -> Config:
    sources = tuple(
        source.model_copy(update={"path": _from(directory, source.path)})
        if isinstance(source, FileSettings)
        else source
        for source in config.sources
    )
    update: dict[str, Any] = {"bundle": _from(directory, config.bundle), "sources": sources}
    if config.mqtt is not None:
        update["mqtt"] = _resolve_mqtt(config.mqtt, directory)
    return config.model_copy(update=update)


def _resolve_mqtt(mqtt: MqttSettings, directory: Path) -> MqttSettings:
    update: dict[str, Any] = {}
    if mqtt.password_file is not None:
        update["password_file"] = _from(directory, mqtt.password_file)
    if mqtt.tls is not None:
        files = {name: path for name, path in mqtt.tls if path is not None}
        update["tls"] = mqtt.tls.model_copy(
            update={name: _from(directory, path) for name, path in files.items()}
        )
    return mqtt.model_copy(update=update)


def _from(directory: Path, path: Path) -> Path:
    return directory / Path(os.path.expandvars(path)).expanduser()

"""The settings of MQTT: the broker, and the outbox before it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from listener.config.settings import Duration, Port, Settings


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

"""The settings of where events go, and of the quiet hours in which they do not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from listener.config.settings import Duration, Port, Seconds, Settings, Slug, split_url

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class TlsSettings(Settings):
    """TLS to the broker; the host name is always checked."""

    ca_file: Path | None = None  # None: the system's authorities
    certificate_file: Path | None = None
    key_file: Path | None = None


class MqttSettings(Settings):
    """The MQTT broker."""

    host: str = "127.0.0.1"
    port: Port = 1883
    protocol: Literal["5", "3.1.1"] = "5"
    username: str | None = None
    password_file: Path | None = None
    tls: TlsSettings | None = None
    topic_prefix: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")] = "earshot"
    level_interval_seconds: Duration = 1.0


class OutboxSettings(Settings):
    """Events wait on disk until the broker has acknowledged them; with a table [mqtt]."""

    enabled: bool = True  # false: they wait in memory, and a crash or a restart loses them
    path: Path = Path("outbox.db")
    max_events: Annotated[int, Field(ge=100, le=10_000_000)] = 100_000  # that wait
    keep_days: Annotated[float, Field(gt=0)] = 7.0  # of what was sent, for the command replay


class WebhookSettings(Settings):
    """Each event in a POST to a server; what the server has not accepted waits on disk."""

    url: str
    token_file: Path | None = None  # sent as Authorization: Bearer
    ca_file: Path | None = None  # None: the system's authorities
    timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 10.0
    waiting_file: Path = Path("webhook.db")
    max_waiting: Annotated[int, Field(ge=100, le=1_000_000)] = 10_000  # messages

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        split_url(url, ("http", "https"), "expected http:// or https://, a host and no user")
        return url


class EventFileSettings(Settings):
    """Events as lines of JSON in a file; a new file starts each day and when one is full."""

    path: Path
    max_megabytes: Annotated[float, Field(gt=0)] = 10.0
    keep_files: Annotated[int, Field(ge=0, le=10_000)] = 30  # beside the current one


class HookSettings(Settings):
    """A program that runs for each event and reads it from standard input."""

    program: tuple[str, ...]  # and its arguments; no shell
    timeout_seconds: Seconds = 10.0
    parallel: Annotated[int, Field(ge=1, le=16)] = 1
    max_waiting_events: Annotated[int, Field(ge=1, le=10_000)] = 100

    @model_validator(mode="after")
    def _check_program(self) -> HookSettings:
        if not self.program or not Path(self.program[0]).is_absolute():
            raise ValueError("program: expected the absolute path of a program, then its arguments")
        if any("\0" in word for word in self.program):
            raise ValueError("program: expected no zero byte in it")
        return self


class QuietSettings(Settings):
    """Hours in which some labels make no events, as if they were muted."""

    begin: str
    end: str  # before begin: of the next day
    days: tuple[Weekday, ...] = WEEKDAYS  # on which it begins
    timezone: str | None = None  # None: the computer's
    sources: tuple[Slug, ...] = ()  # empty: all
    labels: tuple[Slug, ...] | None = None  # these ...
    all_but: tuple[Slug, ...] | None = None  # ... or all but these

    @field_validator("begin", "end")
    @classmethod
    def _check_time(cls, text: str) -> str:
        if not _TIME.fullmatch(text):
            raise ValueError("expected a time of day such as 22:30")
        return text

    @field_validator("timezone")
    @classmethod
    def _check_zone(cls, name: str | None) -> str | None:
        try:
            if name is not None:
                ZoneInfo(name)
        except (OSError, ValueError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
            raise ValueError("expected a time zone such as Europe/Berlin") from error
        return name

    @model_validator(mode="after")
    def _check(self) -> QuietSettings:
        if (self.labels is None) == (self.all_but is None):
            raise ValueError(
                "expected either labels or all_but, so that no alarm is muted by accident"
            )
        if self.labels == ():
            raise ValueError("labels: expected at least one; all_but = [] mutes all")
        if self.begin == self.end:
            raise ValueError("begin, end: expected two different times")
        if not self.days:
            raise ValueError("days: expected at least one, or no key days")
        return self

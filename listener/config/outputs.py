"""The settings of where events go beside MQTT, and of when they do not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from listener.config.settings import Duration, Port, Seconds, Settings, Slug

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _check_url(url: str) -> str:
    expected = "expected http:// or https://, a host and no user"
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(expected)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError(expected)
    _ = parts.port  # a ValueError, unless it is a number from 0 to 65535
    return url


def _check_time(text: str) -> str:
    if not _TIME.fullmatch(text):
        raise ValueError("expected a time of day such as 22:30")
    return text


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise ValueError("expected a time zone such as Europe/Berlin") from error
    return name


Url = Annotated[str, AfterValidator(_check_url)]
TimeOfDay = Annotated[str, AfterValidator(_check_time)]
TimeZone = Annotated[str, AfterValidator(_check_zone)]


class WebhookSettings(Settings):
    """Each event in a POST to a server; what it has not taken waits on disk."""

    url: Url
    token_file: Path | None = None  # sent as Authorization: Bearer
    ca_file: Path | None = None  # None: the system's authorities
    timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 10.0
    waiting_file: Path = Path("webhook.db")
    max_waiting: Annotated[int, Field(ge=100, le=1_000_000)] = 10_000  # messages


class EventFileSettings(Settings):
    """Events as lines of JSON in a file, which is begun anew each day and when it is large."""

    path: Path
    max_megabytes: Annotated[float, Field(gt=0)] = 10.0
    keep_files: Annotated[int, Field(ge=0, le=10_000)] = 30  # beside the one that is written


class HookSettings(Settings):
    """A program that is run for each event, which it reads from standard input."""

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

    begin: TimeOfDay
    end: TimeOfDay  # before begin: of the next day
    days: tuple[Weekday, ...] = WEEKDAYS  # on which it begins
    timezone: TimeZone | None = None  # None: the computer's
    sources: tuple[Slug, ...] = ()  # empty: all
    labels: tuple[Slug, ...] | None = None  # these ...
    all_but: tuple[Slug, ...] | None = None  # ... or all but these

    @model_validator(mode="after")
    def _check(self) -> QuietSettings:
        if (self.labels is None) == (self.all_but is None):
            raise ValueError(
                "expected either labels or all_but, so that no alarm is left out unseen"
            )
        if self.labels == ():
            raise ValueError("labels: expected at least one; all_but = [] is every one")
        if self.begin == self.end:
            raise ValueError("begin, end: expected two different times")
        if not self.days:
            raise ValueError("days: expected at least one, or the key left out")
        return self


# The settings of MQTT: the broker, and the outbox before it.


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

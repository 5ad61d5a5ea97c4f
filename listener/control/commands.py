"""What the station can be told to do: Command values, and how they are read from JSON."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from listener.config.settings import Slug, Threshold
from listener.detection.clip import VerdictValue, Who

MAX_COMMAND_BYTES = 8 * 1024
MAX_MUTE_SECONDS = 7 * 86_400.0
MAX_SNAPSHOT_SECONDS = 600.0

CommandId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]  # a ULID or a slug
ClipId = Annotated[str, Field(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$")]  # a ULID
At = Annotated[float, Field(ge=0)]
Seq = Annotated[int, Field(ge=1, le=2**53)]  # whole numbers that JSON's readers keep

_ANSWER_CHARACTERS = 64  # of a wrong value that an error repeats
_VALUE = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class CommandError(Exception):
    """The command is refused; one line that says what was expected and what came."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_VALUE)
class Command:
    """What every command says: an id that is used once, and when it was given, ISO 8601 with zone."""

    id: CommandId
    at: AwareDatetime


@dataclass(frozen=True, slots=True, config=_VALUE)
class LabelMark:
    """A label that a clip holds, in seconds of the clip; without onset and offset, all of it."""

    label: Slug
    onset: At | None = None
    offset: At | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=_VALUE)
class Flag(Command):
    """A verdict on a clip."""

    clip: ClipId
    verdict: VerdictValue
    labels: tuple[LabelMark, ...] = ()
    who: Who | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=_VALUE)
class Mute(Command):
    """No events of a label on a source for so long; None is every one. 0 ends a mute of the same words."""

    source: Slug | None = None
    label: Slug | None = None
    seconds: Annotated[float, Field(ge=0, le=MAX_MUTE_SECONDS)]


@dataclass(frozen=True, slots=True, kw_only=True, config=_VALUE)
class Unmute(Command):
    """The end of the mutes that name this source and this label; None is every one."""

    source: Slug | None = None
    label: Slug | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=_VALUE)
class SetThreshold(Command):
    """Other thresholds of a label, on one source or on all; without both, the config's again."""

    source: Slug | None = None
    label: Slug
    on: Threshold | None = None
    off: Threshold | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=_VALUE)
class Reload(Command):
    """Read the bundle of the config again."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_VALUE)
class Snapshot(Command):
    """Keep the last seconds of a source: something in them was missed."""

    source: Slug
    seconds: Annotated[float, Field(gt=0, le=MAX_SNAPSHOT_SECONDS)]


@dataclass(frozen=True, slots=True, kw_only=True, config=_VALUE)
class Replay(Command):
    """Send the messages again whose `seq` lies between these two, both included."""

    from_seq: Seq
    to_seq: Seq


_COMMANDS: dict[str, TypeAdapter[Any]] = {
    "flag": TypeAdapter(Flag),
    "mute": TypeAdapter(Mute),
    "unmute": TypeAdapter(Unmute),
    "threshold": TypeAdapter(SetThreshold),
    "reload": TypeAdapter(Reload),
    "snapshot": TypeAdapter(Snapshot),
    "replay": TypeAdapter(Replay),
}
COMMAND_NAMES = tuple(_COMMANDS)


def parse_command(name: str, payload: bytes) -> Command:
    """The command of a name in a JSON document.

    Raises:
        CommandError: an unknown name, a payload over MAX_COMMAND_BYTES, not JSON, a key or value that is
            not one of the command's.
    """
    if name not in _COMMANDS:
        raise CommandError(f"expected {', '.join(COMMAND_NAMES)}, got {_shortened(name)}")
    if len(payload) > MAX_COMMAND_BYTES:
        raise CommandError(
            f"{name}: expected at most {MAX_COMMAND_BYTES} bytes, got {len(payload)}"
        )
    try:
        command: Command = _COMMANDS[name].validate_json(payload)
    except ValidationError as error:
        raise CommandError(f"{name}: {_describe(error)}") from error
    return command


def _describe(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] in ("missing", "missing_argument"):
        return f"{key}: expected one, it is missing"
    if first["type"] == "unexpected_keyword_argument":
        return f"{_shortened(key)}: unknown key"
    return f"{key + ': ' if key else ''}{message}, got {_shortened(first['input'])}"


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _ANSWER_CHARACTERS else text[:_ANSWER_CHARACTERS] + "..."

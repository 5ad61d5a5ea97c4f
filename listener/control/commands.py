"""The commands of a station, and how they are read from JSON."""

from typing import Annotated, Any

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from listener.config.settings import Slug, Threshold
from listener.detection.clip import VerdictValue, Who
from listener.validation import first_problem

MAX_COMMAND_BYTES = 8 * 1024
MAX_MUTE_SECONDS = 7 * 86_400.0
MAX_SNAPSHOT_SECONDS = 600.0

CommandId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]  # a ULID or a slug
ClipId = Annotated[str, Field(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$")]  # a ULID
At = Annotated[float, Field(ge=0)]
Seq = Annotated[
    int, Field(ge=1, le=2**53)
]  # the largest integer that every JSON reader keeps exact

_QUOTED_CHARACTERS = 64  # at most, of a wrong value in an error
_VALUE = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class CommandError(Exception):
    """The command is refused; one line says what was expected and what came."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_VALUE)
class Command:
    """What every command has: an id that is used once, and when it was given (ISO 8601 with zone)."""

    id: CommandId
    at: AwareDatetime


@dataclass(frozen=True, slots=True, config=_VALUE)
class LabelMark:
    """A label of a clip, from onset to offset in seconds of the clip; without them, the whole clip."""

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
    """No events of a label on a source for so long; None means all.

    0 seconds end a mute with the same source and label.
    """

    source: Slug | None = None
    label: Slug | None = None
    seconds: Annotated[float, Field(ge=0, le=MAX_MUTE_SECONDS)]


@dataclass(frozen=True, slots=True, kw_only=True, config=_VALUE)
class Unmute(Command):
    """End the mutes of this source and this label; None means all."""

    source: Slug | None = None
    label: Slug | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=_VALUE)
class SetThreshold(Command):
    """Set thresholds of a label, on one source or on all; without both, the config's apply again."""

    source: Slug | None = None
    label: Slug
    on: Threshold | None = None
    off: Threshold | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=_VALUE)
class Reload(Command):
    """Read the bundle of the config again."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_VALUE)
class Snapshot(Command):
    """Store the last seconds of a source as a clip, because an event in them was missed."""

    source: Slug
    seconds: Annotated[float, Field(gt=0, le=MAX_SNAPSHOT_SECONDS)]


@dataclass(frozen=True, slots=True, kw_only=True, config=_VALUE)
class Replay(Command):
    """Send the messages from `from_seq` to `to_seq` again, both included."""

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
    """The command of that name in a JSON document.

    Raises:
        CommandError: an unknown name, more than MAX_COMMAND_BYTES, invalid JSON, an unknown key or a
            wrong value.
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
        problem = first_problem(error)
        if problem.kind in ("missing", "missing_argument"):
            text = f"{problem.key}: expected one, it is missing"
        elif problem.kind == "unexpected_keyword_argument":
            text = f"{_shortened(problem.key)}: unknown key"
        else:
            text = f"{problem}, got {_shortened(problem.value)}"
        raise CommandError(f"{name}: {text}") from error
    return command


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _QUOTED_CHARACTERS else text[:_QUOTED_CHARACTERS] + "..."

"""Carries out each command at the part of the station that it concerns."""

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from pydantic import ValidationError

from listener.control import commands
from listener.control.commands import Command, CommandError
from listener.control.dispatcher import Answer
from listener.detection.clip import ClipError, ClipRecord, LabelSpan, Verdict
from listener.outbox.disk import OutboxError
from listener.validation import first_problem


class Clips(Protocol):
    """The clip store."""

    def get(self, clip_id: str) -> ClipRecord:
        """The clip of that id; raises ClipError if there is none."""

    def judge(self, clip_id: str, verdict: Verdict) -> ClipRecord:
        """Add a verdict to a clip's history; raises ClipError if it does not fit."""


class Recorder(Protocol):
    """The pipeline, which holds the latest audio."""

    def snapshot(self, source: str, seconds: float) -> Future[str]:
        """Store the last seconds of a source; soon gives the id of the clip, or a ClipError."""


class Outbox(Protocol):
    """The messages that were sent."""

    def replay(self, from_seq: int, to_seq: int) -> int:
        """Send these again; their number. Raises OutboxError if the outbox does not answer."""


class OverrideHandler(Protocol):
    """Mutes and thresholds; every method raises CommandError for an unknown source or label."""

    def mute(self, command: commands.Mute) -> Answer:
        """Make no events for a while."""

    def unmute(self, command: commands.Unmute) -> Answer:
        """Make events again."""

    def set_threshold(self, command: commands.SetThreshold) -> Answer:
        """Set the thresholds of a label."""


class Bundles(Protocol):
    """The hot swap."""

    def reload(self) -> Answer:
        """Read the bundle of the config again; raises CommandError if it cannot be used."""


@dataclass(frozen=True, slots=True)
class StationCommands:
    """The CommandHandler of a station; None stands for a part that the station lacks.

    The inference thread answers a snapshot between two batches, within a second even without audio.
    """

    overrides: OverrideHandler
    bundles: Bundles
    sources: tuple[str, ...]
    clips: Clips | None = None
    recorder: Recorder | None = None
    outbox: Outbox | None = None
    snapshot_wait_seconds: float = 3.0

    def handle(self, command: Command, origin: str) -> Answer:
        """Carry out a command.

        Raises:
            CommandError: it cannot be done, and nothing has changed.
        """
        match command:
            case commands.Flag():
                answer = self._flag(command, origin)
            case commands.Snapshot():
                answer = self._snapshot(command)
            case commands.Mute():
                answer = self.overrides.mute(command)
            case commands.Unmute():
                answer = self.overrides.unmute(command)
            case commands.SetThreshold():
                answer = self.overrides.set_threshold(command)
            case commands.Reload():
                answer = self.bundles.reload()
            case commands.Replay():
                answer = self._replay(command)
            case _:
                raise CommandError(f"expected a command, got {type(command).__name__}")
        return answer

    def _flag(self, command: commands.Flag, origin: str) -> Answer:
        if self.clips is None:
            raise CommandError("flag: expected clips.enabled = true in the config")
        try:
            seconds = self.clips.get(command.clip).seconds if command.labels else 0.0
            spans = tuple(
                LabelSpan(
                    mark.label,
                    mark.onset or 0.0,
                    seconds if mark.offset is None else mark.offset,
                )
                for mark in command.labels
            )
            who, at = command.who or origin, command.at.timestamp()
            self.clips.judge(command.clip, Verdict(command.verdict, who, at, spans))
        except ClipError as error:
            raise CommandError(f"flag: {error}") from error
        except ValidationError as error:
            raise CommandError(f"flag: {first_problem(error).message}") from error
        return {"clip": command.clip}

    def _snapshot(self, command: commands.Snapshot) -> Answer:
        if self.recorder is None:
            raise CommandError("snapshot: expected clips.enabled = true in the config")
        if command.source not in self.sources:
            raise CommandError(
                f"source: expected {', '.join(self.sources)}, got {command.source!r}"
            )
        clip = self.recorder.snapshot(command.source, command.seconds)
        try:
            return {"clip": _wait_for(clip, self.snapshot_wait_seconds)}
        except ClipError as error:
            raise CommandError(str(error)) from error

    def _replay(self, command: commands.Replay) -> Answer:
        if self.outbox is None:
            raise CommandError("replay: expected a table [mqtt] in the config")
        if command.to_seq < command.from_seq:
            raise CommandError(f"to_seq: expected {command.from_seq} or more, got {command.to_seq}")
        try:
            return {"count": self.outbox.replay(command.from_seq, command.to_seq)}
        except OutboxError as error:
            raise CommandError(f"replay: {error}") from error


def _wait_for(clip: Future[str], seconds: float) -> str:
    """The id of the clip; a snapshot that is refused is not stored, unless the error says so."""
    try:
        return clip.result(seconds)
    except TimeoutError as error:
        if clip.cancel():
            raise CommandError("snapshot: the analysis has not answered in time") from error
    try:  # the analysis started on it at the last moment
        return clip.result(seconds)
    except TimeoutError as error:
        raise CommandError("snapshot: the analysis is slow, the clip may still come") from error

"""Carries out each command at the part of the station that it concerns."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pydantic import ValidationError

from listener.control import commands
from listener.control.commands import Command, CommandError
from listener.control.dispatcher import Answer, Deferred
from listener.detection.clip import ClipError, ClipRecord, LabelSpan, Verdict
from listener.outbox.disk import OutboxError
from listener.validation import first_problem

# What a client waits for is longer: its answer comes, and says what happened
FLAG_SECONDS = 8.0
SNAPSHOT_SECONDS = 3.0
REPLAY_SECONDS = 3.0

Result = TypeVar("Result")


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

    def replay(self, from_seq: int, to_seq: int) -> Future[int]:
        """Send these again; soon gives their number, or an OutboxError."""


class Worker(Protocol):
    """A thread that may wait for the clip store's lock and disk."""

    def submit(self, call: Callable[[], Answer]) -> Future[Answer]:
        """Call it there; soon gives its result, or what it raises."""


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

    Other threads answer for the store, the pipeline and the outbox: the inference thread takes a snapshot
    between two batches, within a second even without audio.
    """

    overrides: OverrideHandler
    bundles: Bundles
    sources: tuple[str, ...]
    clips: Clips | None = None
    recorder: Recorder | None = None
    outbox: Outbox | None = None
    worker: Worker | None = None

    def handle(self, command: Command, origin: str) -> Answer | Deferred:
        """Carry out a command, or let another thread do so.

        Raises:
            CommandError: it cannot be done, and nothing has changed.
        """
        answer: Answer | Deferred
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

    def _flag(self, command: commands.Flag, origin: str) -> Deferred:
        clips = self.clips
        if clips is None or self.worker is None:
            raise CommandError("flag: expected clips.enabled = true in the config")
        judged = self.worker.submit(lambda: _judge(clips, command, origin))
        return Deferred(
            judged,
            judged.result,
            FLAG_SECONDS,
            late="flag: the clip store has not answered in time",
            unsure="flag: the clip store is slow, the verdict may still come",
        )

    def _snapshot(self, command: commands.Snapshot) -> Deferred:
        if self.recorder is None:
            raise CommandError("snapshot: expected clips.enabled = true in the config")
        if command.source not in self.sources:
            raise CommandError(
                f"source: expected {', '.join(self.sources)}, got {command.source!r}"
            )
        clip = self.recorder.snapshot(command.source, command.seconds)
        return Deferred(
            clip,
            lambda: {"clip": _result_of(clip, "")},
            SNAPSHOT_SECONDS,
            late="snapshot: the analysis has not answered in time",
            unsure="snapshot: the analysis is slow, the clip may still come",
        )

    def _replay(self, command: commands.Replay) -> Deferred:
        if self.outbox is None:
            raise CommandError("replay: expected a table [mqtt] in the config")
        if command.to_seq < command.from_seq:
            raise CommandError(f"to_seq: expected {command.from_seq} or more, got {command.to_seq}")
        count = self.outbox.replay(command.from_seq, command.to_seq)
        return Deferred(
            count,
            lambda: {"count": _result_of(count, "replay: ")},
            REPLAY_SECONDS,
            late="replay: outbox: the disk has not answered in time",
            unsure="replay: outbox: the disk is slow, the messages may still be sent",
        )


def _judge(clips: Clips, command: commands.Flag, origin: str) -> Answer:
    try:
        seconds = clips.get(command.clip).seconds if command.labels else 0.0
        spans = tuple(
            LabelSpan(
                mark.label, mark.onset or 0.0, seconds if mark.offset is None else mark.offset
            )
            for mark in command.labels
        )
        who, at = command.who or origin, command.at.timestamp()
        clips.judge(command.clip, Verdict(command.verdict, who, at, spans))
    except ClipError as error:
        raise CommandError(f"flag: {error}") from error
    except ValidationError as error:
        raise CommandError(f"flag: {first_problem(error).message}") from error
    return {"clip": command.clip}


def _result_of(future: Future[Result], prefix: str) -> Result:
    try:
        return future.result()
    except (ClipError, OutboxError) as error:
        raise CommandError(f"{prefix}{error}") from error

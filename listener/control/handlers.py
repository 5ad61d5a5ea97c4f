"""Carries out commands, each at the part of the station that it is about."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from pydantic import ValidationError

from listener.control.commands import (
    Command,
    CommandError,
    Flag,
    LabelMark,
    Mute,
    Reload,
    Replay,
    SetThreshold,
    Snapshot,
    Unmute,
)
from listener.control.dispatcher import Answer
from listener.detection.clip import ClipError, ClipRecord, LabelSpan, Verdict
from listener.outbox.disk import OutboxError


class Clips(Protocol):
    """The clip store."""

    def get(self, clip_id: str) -> ClipRecord:
        """A clip; raises ClipError if there is none of that id."""

    def judge(self, clip_id: str, verdict: Verdict) -> ClipRecord:
        """Add a verdict to a clip's history; raises ClipError if it does not fit."""


class Recorder(Protocol):
    """The pipeline, as far as it keeps sound."""

    def snapshot(self, source: str, seconds: float) -> Future[str]:
        """Keep the last seconds of a source; the id of their clip, or ClipError, before long."""


class Outbox(Protocol):
    """What keeps the messages that were sent."""

    def replay(self, from_seq: int, to_seq: int) -> int:
        """Send those again; how many they are. Raises OutboxError if that cannot be known."""


class OverrideHandler(Protocol):
    """Mutes and thresholds; each method raises CommandError for what does not fit."""

    def mute(self, command: Mute) -> Answer:
        """No events for so long."""

    def unmute(self, command: Unmute) -> Answer:
        """Events again."""

    def set_threshold(self, command: SetThreshold) -> Answer:
        """Other thresholds."""


class Bundles(Protocol):
    """What chooses the bundle."""

    def reload(self) -> Answer:
        """Read the bundle of the config again; raises CommandError if it cannot be used."""


@dataclass(frozen=True, slots=True)
class StationCommands:
    """An `Actor` on a station; None stands for what the station has not: clips, a broker.

    The analysis answers a snapshot between two batches; without sound it looks up once a second.
    """

    rules: OverrideHandler
    bundles: Bundles
    sources: tuple[str, ...]
    clips: Clips | None = None
    recorder: Recorder | None = None
    outbox: Outbox | None = None
    snapshot_wait_seconds: float = 3.0

    def act(self, command: Command, origin: str) -> Answer:
        """Carry out a command.

        Raises:
            CommandError: it cannot be done, and nothing has changed.
        """
        match command:
            case Flag():
                return self._flag(command, origin)
            case Snapshot():
                return self._snapshot(command)
            case Mute() | Unmute() | SetThreshold():
                return self._change_rules(command)
            case Reload():
                return self.bundles.reload()
            case Replay():
                return self._replay(command)
        raise CommandError(f"expected a command, got {type(command).__name__}")

    def _change_rules(self, command: Mute | Unmute | SetThreshold) -> Answer:
        match command:
            case Mute():
                return self.rules.mute(command)
            case Unmute():
                return self.rules.unmute(command)
            case SetThreshold():
                return self.rules.set_threshold(command)

    def _flag(self, command: Flag, origin: str) -> Answer:
        if self.clips is None:
            raise CommandError("flag: expected clips.enabled = true in the config")
        try:
            spans = tuple(_span(mark, self.clips.get(command.clip)) for mark in command.labels)
            who, at = command.who or origin, command.at.timestamp()
            self.clips.judge(command.clip, Verdict(command.verdict, who, at, spans))
        except ClipError as error:
            raise CommandError(f"flag: {error}") from error
        except ValidationError as error:
            message = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise CommandError(f"flag: {message}") from error
        return {"clip": command.clip}

    def _replay(self, command: Replay) -> Answer:
        if self.outbox is None:
            raise CommandError("replay: expected a table [mqtt] in the config")
        if command.to_seq < command.from_seq:
            raise CommandError(f"to_seq: expected {command.from_seq} or more, got {command.to_seq}")
        try:
            return {"count": self.outbox.replay(command.from_seq, command.to_seq)}
        except OutboxError as error:
            raise CommandError(f"replay: {error}") from error

    def _snapshot(self, command: Snapshot) -> Answer:
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


def _wait_for(clip: Future[str], seconds: float) -> str:
    """The id of the clip; what is refused is not kept, unless the error says so."""
    try:
        return clip.result(seconds)
    except TimeoutError as error:
        if clip.cancel():
            raise CommandError("snapshot: the analysis has not answered in time") from error
    try:  # it began at the last moment
        return clip.result(seconds)
    except TimeoutError as error:
        raise CommandError("snapshot: the analysis is slow, the clip may still come") from error


def _span(mark: LabelMark, clip: ClipRecord) -> LabelSpan:
    onset = 0.0 if mark.onset is None else mark.onset
    return LabelSpan(mark.label, onset, clip.seconds if mark.offset is None else mark.offset)

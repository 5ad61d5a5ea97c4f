"""Each command reaches the part of the station that it concerns."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

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
from listener.control.dispatcher import Answer, Deferred
from listener.control.handlers import StationCommands
from listener.detection.clip import ClipError, ClipRecord, LabelSpan, Verdict
from listener.outbox.disk import OutboxError
from listener.pipeline.inference import SnapshotRequests

ULID = "01JD9Z6T3W8Q5V1N2M4K7B0C9E"
WHEN = datetime(2026, 11, 20, tzinfo=UTC)


@dataclass
class RecordingParts:
    """Clips, recorder, overrides, bundles and outbox in one; keeps the requests."""

    asked: list[object] = field(default_factory=list)
    error: str | None = None

    def get(self, clip_id: str) -> ClipRecord:
        if clip_id != ULID:
            raise ClipError(f"no clip {clip_id}")
        return ClipRecord(ULID, Path("x.flac"), "hall", 0.0, 6.5, "ambient")

    def judge(self, clip_id: str, verdict: Verdict) -> ClipRecord:
        self.asked.append((clip_id, verdict))
        return self.get(clip_id)

    def snapshot(self, source: str, seconds: float) -> Future[str]:
        self.asked.append((source, seconds))
        answer: Future[str] = Future()
        if self.error is None:
            answer.set_result(ULID)
        else:
            answer.set_exception(ClipError(self.error))
        return answer

    def mute(self, command: Mute) -> Answer:
        return {"asked": command}

    def unmute(self, command: Unmute) -> Answer:
        return {"asked": command}

    def set_threshold(self, command: SetThreshold) -> Answer:
        return {"asked": command}

    def reload(self) -> Answer:
        return {"bundle": "tones@2"}

    def replay(self, from_seq: int, to_seq: int) -> Future[int]:
        answer: Future[int] = Future()
        if self.error is None:
            answer.set_result(to_seq - from_seq + 1)
        else:
            answer.set_exception(OutboxError(self.error))
        return answer

    def submit(self, call: Callable[[], Answer]) -> Future[Answer]:
        answer: Future[Answer] = Future()
        try:
            answer.set_result(call())
        except CommandError as error:
            answer.set_exception(error)
        return answer


@pytest.fixture
def parts() -> RecordingParts:
    return RecordingParts()


@pytest.fixture
def handler(parts: RecordingParts) -> StationCommands:
    return StationCommands(parts, parts, ("hall",), parts, parts, worker=parts)


def answer_of(handler: StationCommands, command: Command) -> Answer:
    """The answer, of another thread, too."""
    outcome = handler.handle(command, "mqtt")
    return outcome.answer() if isinstance(outcome, Deferred) else outcome


def test_overrides_and_bundles_receive_their_commands(handler: StationCommands):
    mute = Mute(id="a", at=WHEN, seconds=1.0)
    unmute = Unmute(id="a", at=WHEN)
    threshold = SetThreshold(id="a", at=WHEN, label="dog")
    for command in (mute, unmute, threshold):
        assert handler.handle(command, "mqtt") == {"asked": command}
    assert handler.handle(Reload(id="a", at=WHEN), "mqtt") == {"bundle": "tones@2"}


def test_a_verdict_says_who_and_when_and_a_bare_label_is_the_whole_clip(
    handler: StationCommands, parts: RecordingParts
):
    marks = (LabelMark("dog"), LabelMark("cat", 1.0, 2.0))
    flag = Flag(id="a", at=WHEN, clip=ULID, verdict="labels", labels=marks)
    assert answer_of(handler, flag) == {"clip": ULID}
    spans = (LabelSpan("dog", 0.0, 6.5), LabelSpan("cat", 1.0, 2.0))
    assert parts.asked == [(ULID, Verdict("labels", "mqtt", WHEN.timestamp(), spans))]


@pytest.mark.parametrize(
    ("clip", "verdict", "mark", "reason"),
    [
        (ULID[:-1] + "0", "right", None, "no clip"),
        (ULID, "right", LabelMark("dog"), "expected no labels, got 1"),
        (ULID, "labels", LabelMark("dog", 3.0, 2.0), "expected 0 <= onset < offset"),
    ],
)
def test_a_verdict_that_does_not_fit_is_refused(
    handler: StationCommands, clip: str, verdict: str, mark: LabelMark | None, reason: str
):
    marks = () if mark is None else (mark,)
    flag = Flag(id="a", at=WHEN, clip=clip, verdict=verdict, labels=marks)  # type: ignore[arg-type]
    with pytest.raises(CommandError, match=reason):
        answer_of(handler, flag)


def test_a_snapshot_gives_the_id_of_its_clip_or_the_reason(
    handler: StationCommands, parts: RecordingParts
):
    snapshot = Snapshot(id="a", at=WHEN, source="hall", seconds=5.0)
    assert answer_of(handler, snapshot) == {"clip": ULID}
    parts.error = "nothing was heard"
    with pytest.raises(CommandError, match="nothing was heard"):
        answer_of(handler, snapshot)
    with pytest.raises(CommandError, match="expected hall, got 'yard'"):
        handler.handle(Snapshot(id="a", at=WHEN, source="yard", seconds=5.0), "mqtt")


HALL = Snapshot(id="a", at=WHEN, source="hall", seconds=5.0)


@dataclass
class RequestingRecorder:
    """A recorder whose requests the test answers."""

    snapshots: SnapshotRequests = field(default_factory=SnapshotRequests)

    def snapshot(self, source: str, seconds: float) -> Future[str]:
        return self.snapshots.ask(source, seconds)


def test_a_snapshot_that_is_cancelled_is_not_stored_later(parts: RecordingParts):
    recorder, stored = RequestingRecorder(), []
    handler = StationCommands(parts, parts, ("hall",), parts, recorder)
    asked = handler.handle(HALL, "mqtt")
    assert isinstance(asked, Deferred)
    assert asked.future.cancel()  # as the dispatcher does when it is late
    recorder.snapshots.ask("yard", 2.0)

    def store(source: str, _seconds: float) -> str:
        stored.append(source)
        return ULID

    recorder.snapshots.answer(store)
    assert stored == ["yard"]


def test_without_clips_flags_and_snapshots_are_refused(parts: RecordingParts):
    handler = StationCommands(parts, parts, ("hall",))
    for command in (
        Flag(id="a", at=WHEN, clip=ULID, verdict="right"),
        Snapshot(id="a", at=WHEN, source="hall", seconds=5.0),
    ):
        with pytest.raises(CommandError, match=r"expected clips\.enabled = true"):
            handler.handle(command, "mqtt")


def replay(from_seq: int, to_seq: int) -> Replay:
    return Replay(id="again-1", at=WHEN, from_seq=from_seq, to_seq=to_seq)


def test_a_replay_answers_with_the_number_of_messages(parts: RecordingParts):
    handler = StationCommands(parts, parts, ("hall",), outbox=parts)
    assert answer_of(handler, replay(3, 9)) == {"count": 7}


def test_an_impossible_replay_is_refused_with_the_reason(parts: RecordingParts):
    handler = StationCommands(parts, parts, ("hall",), outbox=parts)
    with pytest.raises(CommandError, match="to_seq: expected 9 or more, got 3"):
        handler.handle(replay(9, 3), "mqtt")
    parts.error = "outbox: the disk has not answered in time"
    with pytest.raises(CommandError, match="replay: outbox: the disk has not answered in time"):
        answer_of(handler, replay(3, 9))
    with pytest.raises(CommandError, match=r"replay: expected a table \[mqtt\] in the config"):
        StationCommands(parts, parts, ("hall",)).handle(replay(3, 9), "mqtt")

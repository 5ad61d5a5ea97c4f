"""The messages of the outbox: on disk, and in memory for as long as the disk cannot take them."""

import heapq
import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from operator import attrgetter
from typing import Any, TypeVar

from listener.clock import SettledClock
from listener.files import iso_utc, to_json
from listener.health import OutboxHealth
from listener.outbox.database import Database
from listener.outbox.disk import Disk
from listener.outbox.row import Changes, OpenEvent, Row, State, why_unsendable

_MAX_HELD = 10_000  # messages in memory while the disk takes none
_DELETED_AT_ONCE = 1_000
_DAY_SECONDS = 86_400.0

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept: messages that wait, and days of finished ones."""

    max_events: int = 100_000
    keep_days: float = 7.0


class Store:
    """Messages in the order of their `seq`; owned by one thread. Nothing here raises for a bad disk.

    `gap_topic` is where lost messages are announced. Events that a crash left open are ended at once.
    `settled_now` is the time by which messages become too old, or None (SettledClock).
    """

    def __init__(
        self,
        disk: Disk,
        bounds: Bounds,
        station: str,
        gap_topic: str,
        health: OutboxHealth,
        settled_now: Callable[[], float | None] | None = None,
    ) -> None:
        self._settled_now = settled_now or SettledClock().read
        self._disk, self._bounds, self._health = disk, bounds, health
        self._station, self._gap_topic = station, gap_topic
        self._changes = Changes()
        self._last_seq = disk.last_seq
        self._analysed: dict[str, float] = {}  # as it was last written down
        self._open: dict[str, str] = {}  # id -> source
        self.open_sources: frozenset[str] = frozenset()
        """The sources with an open event; replaced as a whole."""
        self._none_above: dict[State, int] = {}  # where the disk was asked and had nothing
        self._asked: Database | None = None  # the one that was
        self.waiting = self._read(lambda database: database.count("waiting"), 0)
        self._announce_loss()
        analysed = self._read(lambda database: database.analysed(), dict[str, float]())
        for event in self._read(lambda database: database.open_events(), list[OpenEvent]()):
            self.put(event.topic, end_after_crash(event, analysed.get(event.source)))

    def _read(self, query: Callable[[Database], _Value], default: _Value) -> _Value:
        """The result of a query on the disk; `default` if it cannot be read."""
        if self._disk.database is None:
            return default
        try:
            return query(self._disk.database)
        except sqlite3.Error as error:
            self._disk.note_fault(error)
            return default

    def put(self, topic: str, document: dict[str, Any]) -> Row:
        """Add a message, with the next `seq` in its JSON; it is on disk after the next save().

        A document with `phase` is an event's: `start` opens it, `end` closes it.
        """
        self._last_seq += 1
        payload = to_json(document | {"seq": self._last_seq}).encode()
        row = Row(self._last_seq, topic, payload, time.time())
        fault = why_unsendable(row, None)
        if fault is not None:  # it may not even be UTF-8, which SQLite needs
            row = replace(row, topic=ascii(topic))
        self._put(row)
        self.waiting += 1
        self._track_open_events(document, row)
        if fault is not None:
            self.settle(row, "dead", fault)
        return row

    def _put(self, row: Row) -> None:
        self._changes.put(row)
        self._none_above.pop(row.state, None)

    def _track_open_events(self, document: dict[str, Any], row: Row) -> None:
        phase = document.get("phase")
        if phase == "start":
            event = OpenEvent(document["id"], document["source"], row.topic, row.payload)
            self._changes.open(event)
            self._open[event.id] = event.source
        elif phase == "end":
            self._changes.close(document["id"])
            self._open.pop(document["id"], None)
        self.open_sources = frozenset(self._open.values())

    def note_analysed(self, source: str, until: float) -> None:
        """A source is analysed up to there; written down once a second while it has an open event."""
        if source not in self.open_sources:
            return
        # the distance: a clock may be set back
        if abs(until - self._analysed.get(source, 0.0)) >= 1.0:
            self._analysed[source] = self._changes.analysed[source] = until

    def save(self, handed_until: int = 0) -> bool:
        """Write all changes to the disk; whether they are there.

        When the memory is full as well, messages above `handed_until` are dropped, the oldest first.
        """
        saved = self._disk.save(self._changes)
        if self._disk.after_corrupt:
            self._announce_loss()
        if not saved:
            self._hold_less(handed_until)
        self._health.unsaved = len(self._changes.rows)
        return saved

    def first(self, state: State, after: int, limit: int) -> list[Row]:
        """The first messages in a state whose seq is above `after`, in order."""
        if self._disk.database is not self._asked:
            self._asked = self._disk.database
            self._none_above.clear()
        if after >= self._none_above.get(state, after + 1):
            return []
        changed = self._changes.rows.keys() | self._changes.removed
        limit_on_disk = limit + len(changed)
        on_disk = self._read(lambda d: d.oldest(state, after, limit_on_disk), list[Row]())
        held = [row for row in self._changes.rows.values() if row.state == state]
        by_seq = attrgetter("seq")
        found = heapq.merge(
            (row for row in on_disk if row.seq not in changed),
            sorted((row for row in held if row.seq > after), key=by_seq),
            key=by_seq,
        )
        rows = list(islice(found, limit))
        if not rows and self._asked is not None and self._health.failing is None:
            self._none_above[state] = after
        return rows

    def settle(self, row: Row, state: State, reason: str | None = None) -> None:
        """The message is finished; `reason` says why it was not delivered."""
        self._changes.put(replace(row, state=state, reason=reason))
        self.waiting -= row.state == "waiting"
        self._health.dead += state == "dead"
        self._health.quarantined += state == "quarantined"

    def put_back(self, row: Row) -> None:
        """Send a finished message again after all, in the state in which it was."""
        self._put(row)
        self.waiting += row.state == "waiting"

    def mark_tried(self, row: Row) -> Row:
        """The message with one more connection that it may have broken."""
        tried = replace(row, tries=row.tries + 1)
        self._changes.put(tried)
        return tried

    def replay(self, from_seq: int, to_seq: int) -> int:
        """Let finished messages be sent again; gives their number."""
        self.save()
        self._none_above.clear()
        return self._read(lambda database: database.replay(from_seq, to_seq), 0)

    def drop_excess(self, after: int) -> None:
        """If too many wait, the oldest above `after` are dropped, and one message stands for them."""
        self._drop(self.waiting - self._bounds.max_events, after)

    def _drop(self, excess: int, after: int) -> None:
        if excess <= 0:
            return
        rows = self.first("waiting", after, excess + 1)
        if len(rows) <= 1:
            return
        for row in rows:
            self._changes.remove(row.seq)
        self._put(merge_into_gap(rows, self._gap_topic, self._station))
        self.waiting -= len(rows) - 1
        self._health.dropped += sum(not row.is_gap for row in rows)

    def _hold_less(self, handed_until: int) -> None:
        rows = self._changes.rows
        if len(rows) <= _MAX_HELD:
            return
        for row in [row for row in rows.values() if row.state != "waiting"]:
            self._changes.remove(row.seq)
        held = sorted(rows)
        if len(held) > _MAX_HELD:
            self._drop(len(held) - _MAX_HELD, max(handed_until, held[0] - 1))

    def delete_old(self) -> None:
        """Delete some of the messages that have been finished for long enough, and those over the bound."""
        now = self._settled_now()
        before = 0.0 if now is None else now - self._bounds.keep_days * _DAY_SECONDS
        keep = self._bounds.max_events
        self._read(lambda database: database.delete_finished(before, keep, _DELETED_AT_ONCE), None)

    def _announce_loss(self) -> None:
        if not self._disk.after_corrupt:
            return
        self._disk.after_corrupt = False
        self._last_seq = max(self._last_seq, self._disk.last_seq) + 1
        self._put(gap_after_corrupt(self._last_seq, self._gap_topic, self._station, time.time()))
        held = sum(row.state == "waiting" for row in self._changes.rows.values())
        self.waiting = self._read(lambda database: database.count("waiting"), 0) + held


def merge_into_gap(rows: Sequence[Row], topic: str, station: str) -> Row:
    """One message in the place of these, gaps among them included; its seq is that of the last one."""
    spans = [_span_of(row) for row in rows]
    document = {
        "schema": 1,
        "station": station,
        "seq": rows[-1].seq,
        "from_seq": spans[0]["from_seq"],
        "to_seq": spans[-1]["to_seq"],
        "count": sum(span["count"] for span in spans),
        "from": spans[0]["from"] or spans[0]["to"],
        "to": spans[-1]["to"],
        "reason": "outbox_full",
    }
    payload = to_json(document).encode()
    return Row(rows[-1].seq, topic, payload, rows[0].made_at, is_gap=True)


def _span_of(row: Row) -> dict[str, Any]:
    if row.is_gap:
        span: dict[str, Any] = json.loads(row.payload)
        return span | {"count": span["count"] or 0}
    made_at = iso_utc(row.made_at)
    return {"from_seq": row.seq, "to_seq": row.seq, "count": 1, "from": made_at, "to": made_at}


def gap_after_corrupt(seq: int, topic: str, station: str, at: float) -> Row:
    """The message after a corrupt file, whose messages nobody knows; `at` is unix seconds."""
    document = {
        "schema": 1,
        "station": station,
        "seq": seq,
        "from_seq": None,
        "to_seq": seq - 1,
        "count": None,
        "from": None,
        "to": iso_utc(at),
        "reason": "outbox_corrupt",
    }
    return Row(seq, topic, to_json(document).encode(), at, is_gap=True)


def end_after_crash(event: OpenEvent, analysed_until: float | None) -> dict[str, Any]:
    """The end of an event that was open when the station died, without `seq`.

    It ends when its source was last analysed, in unix seconds; None: nothing is known after the start,
    and the duration is 0.
    """
    document: dict[str, Any] = json.loads(event.payload)
    document.pop("seq")
    onset = datetime.fromisoformat(document["onset"]).timestamp()
    offset = onset if analysed_until is None else max(onset, analysed_until)
    return document | {
        "phase": "end",
        "offset": iso_utc(offset),
        "duration_seconds": round(offset - onset, 3),
        "reason": "restart",
    }

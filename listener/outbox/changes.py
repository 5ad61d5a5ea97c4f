"""What is to be written at the next commit; it stays here while the disk cannot take it."""

from __future__ import annotations

from dataclasses import dataclass, field

from listener.outbox.row import OpenEvent, Row


@dataclass(slots=True)
class Changes:
    """Everything since the last commit, the newest value of each; owned by one thread."""

    rows: dict[int, Row] = field(
        default_factory=dict
    )  # by seq; new ones, and what became of others
    removed: set[int] = field(default_factory=set)
    opened: dict[str, OpenEvent] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    analysed: dict[str, float] = field(default_factory=dict)  # until when, by source

    @property
    def any(self) -> bool:
        """Whether there is something to write."""
        return bool(self.rows or self.removed or self.opened or self.closed or self.analysed)

    def put(self, row: Row) -> None:
        """Add a message, or what became of it."""
        self.rows[row.seq] = row

    def remove(self, seq: int) -> None:
        """Forget a message."""
        self.rows.pop(seq, None)
        self.removed.add(seq)

    def open(self, event: OpenEvent) -> None:
        """An event began."""
        self.opened[event.id] = event
        self.closed.discard(event.id)  # a file played again has the same events

    def close(self, event_id: str) -> None:
        """An event ended."""
        self.opened.pop(event_id, None)
        self.closed.add(event_id)

    def clear(self) -> None:
        """All of it is on disk."""
        for part in (self.rows, self.removed, self.opened, self.closed, self.analysed):
            part.clear()

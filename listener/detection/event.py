"""Sound events: one label active from onset to offset on one source, and their ids."""

import hashlib
from dataclasses import dataclass

_CROCKFORD_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True)
class SoundEvent:
    """One label active on one source; `offset` is None while it lasts.

    Times are unix seconds live, seconds in the file offline. Scores are the model's, over the slots in
    which the label was active. `level_dbfs` is that of the loudest slot. `reason` is None if the scores
    ended the event, else why it ended: `end_of_stream`, `source_lost`, `gap`, `shutdown`, `bundle`,
    `muted`; the outbox adds `restart`.
    """

    id: str
    source: str
    label: str
    onset: float
    offset: float | None
    peak_score: float
    mean_score: float
    level_dbfs: float
    bundle: str
    reason: str | None = None

    @property
    def seconds(self) -> float | None:
        """Duration in seconds; None while active."""
        return None if self.offset is None else self.offset - self.onset


def event_id(namespace: str, source: str, label: str, onset: float) -> str:
    """The ULID of an event: its onset in milliseconds, then 80 bits of a hash of what it is.

    The same event always has the same id, so that a message sent again, or a file replayed, can be
    recognised (https://github.com/ulid/spec for the form).
    """
    # a sum of seconds: its last bits depend on how the stream was cut
    onset = round(float(onset), 6)
    digest = hashlib.blake2b(f"{namespace}\0{source}\0{label}\0{onset!r}".encode(), digest_size=10)
    number = max(0, round(onset * 1000)) << 80 | int.from_bytes(digest.digest(), "big")
    return "".join(_CROCKFORD_BASE32[number >> shift & 31] for shift in range(125, -1, -5))

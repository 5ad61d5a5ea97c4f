"""What the outbox and the connection say to each other; each call only puts into a queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message that is to be sent once (QoS 1) on the connection of that number, or not at all.

    `alone`: with nothing else unacknowledged, so that it is known what broke the connection.
    """

    connection: int
    key: int
    topic: str
    payload: bytes
    alone: bool = False


class Carrier(Protocol):
    """Takes parcels for the broker."""

    def carry(self, parcel: Parcel) -> None:
        """Send it, in the order of the calls; dropped if its connection is not the current one."""


class Sender(Protocol):
    """Told what becomes of parcels, by the thread of the connection."""

    def connected(self, connection: int, max_packet_bytes: int | None) -> None:
        """A new connection stands: a harmless message was acknowledged on it."""

    def answered(self, key: int, refusal: str | None) -> None:
        """The broker has acknowledged a parcel, or says why it will not have it."""

    def lost(self, *, suspect: bool) -> None:
        """The connection is gone, and every parcel that was not answered.

        `suspect`: the broker ended it just after a parcel that was alone, with nothing else in flight.
        """

"""Carries the messages of an outbox to a receiver, one after the other, for as long as it takes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from queue import SimpleQueue
from threading import Event, Thread
from typing import Protocol

from listener.mqtt.messages import Parcel, Sender
from listener.mqtt.rest import Rest
from listener.webhook.post import PostError, RefusedError

log = logging.getLogger(__name__)

_CLOSE_SECONDS = 0.5


class Post(Protocol):
    """A receiver."""

    @property
    def name(self) -> str:
        """For the log."""

    def post(self, body: bytes) -> None:
        """Send a message; raises PostError or RefusedError."""


class WebhookCarrier:
    """One thread. After a failure it rests, longer each time, and begins at the oldest message again.

    So messages arrive in order and at least once. A failure is as a lost connection is to the outbox;
    the next try is the next connection.
    """

    def __init__(self, receiver: Post, make_rest: Callable[[], Rest] = Rest) -> None:
        self._receiver, self._make_rest = receiver, make_rest
        self._rest = make_rest()
        self._sender: Sender | None = None
        self._parcels: SimpleQueue[Parcel | None] = SimpleQueue()
        self._connection = 1
        self._failing = False
        self._closing = Event()
        # daemon: a receiver that trickles its answer must not keep the process from ending
        self._thread = Thread(target=self._run, name="webhook-post", daemon=True)

    def send_for(self, sender: Sender) -> None:
        """Tell this one what becomes of its parcels; before the start."""
        self._sender = sender

    def carry(self, parcel: Parcel) -> None:
        """See listener.mqtt.messages.Carrier."""
        self._parcels.put(parcel)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop; a POST that is under way is left to itself."""
        self._closing.set()
        self._parcels.put(None)
        self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        sender = self._sender
        if sender is None:
            return
        sender.connected(self._connection, None)
        while (parcel := self._parcels.get()) is not None and not self._closing.is_set():
            if parcel.connection == self._connection:  # others were handed over before a failure
                self._deliver(parcel, sender)

    def _deliver(self, parcel: Parcel, sender: Sender) -> None:
        try:
            self._receiver.post(parcel.payload)
        except RefusedError as error:
            sender.answered(parcel.key, str(error))
        except PostError as error:
            self._fail(error, sender)
        else:
            sender.answered(parcel.key, None)
            self._recover()

    def _fail(self, error: PostError, sender: Sender) -> None:
        if not self._failing:
            log.warning("webhook %s: events wait: %s", self._receiver.name, error)
        self._failing = True
        sender.lost(suspect=False)
        self._connection += 1
        if not self._closing.wait(self._rest.seconds()):
            sender.connected(self._connection, None)

    def _recover(self) -> None:
        if self._failing:
            log.info("webhook %s: events arrive again", self._receiver.name)
            self._failing = False
            self._rest = self._make_rest()

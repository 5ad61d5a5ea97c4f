"""Which model servers are up; those that are lost are tried again on a thread of their own."""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import uniform
from threading import Condition, Event, Thread

from listener.config.engine import RemoteSettings
from listener.engines.engine import Engine
from listener.engines.remote.channel import ServerError
from listener.health import RemoteHealth

log = logging.getLogger(__name__)

_MOST_DOUBLINGS = 16

OpenServer = Callable[[str], Engine]
"""The server at a url, its model checked; raises ServerError, as its `infer` may."""


@dataclass(slots=True)
class _Place:
    """A url, and the server there while it is up."""

    url: str
    server: Engine | None = None
    up_since: float = 0.0  # monotonic seconds, as the next
    due: float = 0.0  # when it is tried again
    failures: int = 0  # one after the other
    reason: str = ""  # why it is lost, as it was last told


class Servers:
    """The servers of the config, in its order. Any thread may use it; the trials end when it goes."""

    def __init__(
        self,
        urls: Sequence[str],
        open_server: OpenServer,
        settings: RemoteSettings,
        health: RemoteHealth,
    ) -> None:
        self._places = {url: _Place(url) for url in urls}
        self._open_server, self._settings, self._health = open_server, settings, health
        self._changed = Condition()
        self._trying = False
        self._gone = Event()
        weakref.finalize(self, self._gone.set)

    def open_all(self) -> list[str]:
        """Try each; why the others are not up, one line each."""
        for place in self._places.values():
            self._try(place)
        self._try_lost_later()
        return [f"{place.url}: {place.reason}" for place in self._places.values() if place.reason]

    def up(self) -> list[tuple[str, Engine]]:
        """Those that are up."""
        with self._changed:
            places = self._places.values()
            return [(place.url, place.server) for place in places if place.server is not None]

    def lose(self, url: str, reason: str) -> None:
        """A server did not give what it was asked for: it is not up before a trial of its own."""
        self._note_lost(self._places[url], reason)
        self._try_lost_later()

    def wait_for_one(self, seconds: float) -> bool:
        """Whether one is up, at the latest after so long."""
        with self._changed:
            return self._changed.wait_for(
                lambda: any(place.server for place in self._places.values()), seconds
            )

    def try_lost(self) -> float | None:
        """Try those whose time has come; seconds until the next, None if none is lost."""
        now = time.monotonic()
        for place in self._places.values():
            if place.server is None and place.due <= now:
                self._try(place)
        with self._changed:
            dues = [place.due for place in self._places.values() if place.server is None]
            self._trying = bool(dues)
        return max(0.0, min(dues) - time.monotonic()) if dues else None

    def _try(self, place: _Place) -> None:
        try:
            server = self._open_server(place.url)
        except ServerError as error:
            self._note_lost(place, str(error))
            return
        with self._changed:
            place.server, place.up_since, place.reason = server, time.monotonic(), ""
            self._health.servers[place.url].up = True
            self._changed.notify_all()
        log.info("model server %s: up, its model is the bundle's", place.url)

    def _note_lost(self, place: _Place, reason: str) -> None:
        with self._changed:
            now = time.monotonic()
            stood = place.server is not None and (
                now - place.up_since >= self._settings.retry_limit_seconds
            )
            place.failures = 1 if stood else place.failures + 1
            place.server, place.due = None, now + self._rest_seconds(place.failures)
            told, place.reason = place.reason, reason
            self._health.servers[place.url].up = False
        if reason != told:  # once an episode, not once a trial
            log.warning("model server %s: not up: %s", place.url, reason)

    def _rest_seconds(self, failures: int) -> float:
        """Doubled after each failure, with jitter, so that a fleet does not come all at once."""
        doubled = self._settings.retry_seconds * 2.0 ** min(failures - 1, _MOST_DOUBLINGS)
        return min(doubled, self._settings.retry_limit_seconds) * uniform(0.5, 1.0)

    def _try_lost_later(self) -> None:
        with self._changed:
            lost = any(place.server is None for place in self._places.values())
            if not lost or self._trying:
                return
            self._trying = True
        arguments = (weakref.ref(self), self._gone)
        Thread(name="model servers", target=_try_until_up, args=arguments, daemon=True).start()


def _try_until_up(reference: weakref.ref[Servers], gone: Event) -> None:
    """The thread's body; it keeps no servers alive that nobody needs any more."""
    while True:
        servers = reference()
        seconds = None if servers is None else servers.try_lost()
        del servers
        if seconds is None:
            return
        gone.wait(seconds)

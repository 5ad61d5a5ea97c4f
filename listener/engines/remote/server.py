"""One model server, and whether what it computes is the bundle."""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from pathlib import Path
from random import uniform
from threading import Condition, Event, Thread
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from listener.config.engine import RemoteSettings
from listener.detection.bundle import Bundle, ServedModel, served_model
from listener.detection.features import log_mel_patches
from listener.engines.engine import Engine, EngineError, Outputs
from listener.engines.remote.channel import (
    Channel,
    Datatype,
    ServerError,
    ServerTimeoutError,
    choose_datatype,
)
from listener.engines.remote.grpc import GrpcChannel
from listener.engines.remote.http import HttpChannel
from listener.health import RemoteHealth

log = logging.getLogger(__name__)

# Where patches travel as float16 YAMNet's golden scores are 0.001 off, and 0.002 on recordings.
FLOAT16_TOLERANCE = 5e-3
_LEAST_PART = 16  # patches; in smaller ones a request costs more than it wins
_MOST_DOUBLINGS = 16


# What a server must give to be trusted: the bundle's model by its name, and the golden scores.


@dataclass(frozen=True, slots=True)
class Expected:
    """The golden check of a bundle, read once: its files may go while servers come and go."""

    model: ServedModel
    patches: NDArray[np.float32]
    scores: NDArray[np.float32]
    tolerance: float

    def check(self, scores: NDArray[np.float32], datatype: Datatype) -> None:
        """Compare scores of the patches, which travelled as `datatype`.

        Raises:
            ServerError: they are of another shape, or too far off.
        """
        if scores.shape != self.scores.shape:
            raise ServerError(
                f"golden check: expected scores {self.scores.shape}, its model gives {scores.shape}"
            )
        rounding = FLOAT16_TOLERANCE if datatype == "FP16" else 0.0
        tolerance = max(self.tolerance, rounding)
        difference = float(np.abs(scores - self.scores).max())
        if not difference <= tolerance:
            raise ServerError(
                f"golden check: expected scores within {tolerance:g}, they differ by {difference:.2g}"
            )


def expected_of(bundle: Bundle) -> Expected:
    """What a server of this bundle must give.

    Raises:
        BundleError: the golden file holds something else.
    """
    golden = bundle.read_golden()
    patches = log_mel_patches(golden.waveform, bundle.manifest.features)
    return Expected(served_model(bundle), patches, golden.scores, golden.tolerance)


class Server:
    """A server whose model gave the bundle's golden scores when it was opened; an `Engine` that may fail.

    Raises:
        ServerError: it does not answer, has not the bundle's model, or gives other scores.
    """

    def __init__(self, channel: Channel, expected: Expected, settings: RemoteSettings) -> None:
        self._channel, self._settings = channel, settings
        self._threads = ThreadPoolExecutor(settings.in_flight, "remote")
        self._datatype = choose_datatype(channel.read_inputs(settings.timeout_seconds))
        scores, _ = self.infer(expected.patches)
        expected.check(scores, self._datatype)

    def infer(self, patches: NDArray[np.float32]) -> Outputs:
        """Log-mel patches (B, 96, 64) -> scores (B, K), embeddings (B, D); within the time-out.

        Raises:
            ServerError: there was no answer, or none of use, after the tries that are allowed.
        """
        deadline = time.monotonic() + self._settings.timeout_seconds
        for _ in range(self._settings.retries):
            try:
                return self._try(patches, deadline)
            except ServerTimeoutError:
                raise
            except ServerError:  # for instance a connection that had gone stale
                continue
        return self._try(patches, deadline)

    def _try(self, patches: NDArray[np.float32], deadline: float) -> Outputs:
        # on threads also where it is one part: not every library keeps its time-outs
        answers = [
            self._threads.submit(self._channel.infer, part, self._datatype, _left(deadline))
            for part in split(patches, self._settings.in_flight)
        ]
        outputs = [_wait(answer, deadline) for answer in answers]
        scores, embeddings = zip(*outputs, strict=True)
        return np.concatenate(scores), np.concatenate(embeddings)


def open_channel(url: str, model: ServedModel, settings: RemoteSettings) -> Channel:
    """What the scheme of the url stands for; a connection is made when it is first used.

    Raises:
        EngineError: what it needs is not installed, or `ca_file` cannot be read.
    """
    if settings.ca_file is not None:
        _check_readable(settings.ca_file)
    parts = urlsplit(url)
    if parts.scheme in ("http", "https"):
        return HttpChannel(url, model, settings.in_flight, ca_file=settings.ca_file)
    tls = parts.scheme == "grpcs"
    return GrpcChannel(parts.netloc, model, tls=tls, ca_file=settings.ca_file)


def _check_readable(ca_file: Path) -> None:
    # the libraries say so in the middle of a request, or in the destructor of half a client
    try:
        ca_file.read_bytes()
    except OSError as error:
        raise EngineError(f"engine.remote.ca_file: {ca_file}: {error.strerror}") from error


def split(patches: NDArray[np.float32], most: int) -> list[NDArray[np.float32]]:
    """At most so many parts, none of them small: 64 patches in 4 parts of 16, 31 in one."""
    parts = max(1, min(most, len(patches) // _LEAST_PART))
    return np.array_split(patches, parts)


def _left(deadline: float) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise ServerTimeoutError("no answer in time")
    return seconds


def _wait(answer: Future[Outputs], deadline: float) -> Outputs:
    try:
        return answer.result(max(0.0, deadline - time.monotonic()))
    except FutureTimeoutError as error:
        raise ServerTimeoutError("no answer in time") from error


# Which model servers are up; those that are lost are tried again on a thread of their own.


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

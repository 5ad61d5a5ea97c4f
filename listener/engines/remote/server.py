"""Model servers: trusted once they give the bundle's golden scores, tried again when they are lost."""

import logging
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Condition, Event, Thread
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from listener.backoff import Backoff
from listener.config.engine import RemoteSettings
from listener.detection.bundle import Bundle, ServedModel, served_model
from listener.detection.features import log_mel_patches
from listener.engines.engine import Engine, EngineError, Outputs
from listener.engines.remote import grpc, http
from listener.engines.remote.channel import (
    Channel,
    Datatype,
    ServerError,
    ServerTimeoutError,
    choose_datatype,
)
from listener.faults import describe, trace_of
from listener.health import RemoteHealth

log = logging.getLogger(__name__)

# With patches sent as float16 YAMNet's golden scores are 0.001 off, and 0.002 on recordings.
FLOAT16_TOLERANCE = 5e-3
_LEAST_PART = 16  # patches; in smaller parts a request costs more than it saves


@dataclass(frozen=True, slots=True)
class GoldenCheck:
    """The model that a server must have, and the scores that it must give.

    Read once: the files of the bundle may be deleted while servers come and go.
    """

    model: ServedModel
    patches: NDArray[np.float32]
    scores: NDArray[np.float32]
    tolerance: float

    def check(self, scores: NDArray[np.float32], datatype: Datatype) -> None:
        """Compare scores of the patches, which were sent as `datatype`.

        Raises:
            ServerError: they have another shape, or are too far off.
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


def read_golden_check(bundle: Bundle) -> GoldenCheck:
    """The golden check of a bundle.

    Raises:
        BundleError: the golden file cannot be used.
    """
    golden = bundle.read_golden()
    patches = log_mel_patches(golden.waveform, bundle.manifest.features)
    return GoldenCheck(served_model(bundle), patches, golden.scores, golden.tolerance)


class Server:
    """A server whose model passed the golden check when it was opened; an `Engine` that may fail.

    Raises:
        ServerError: it does not answer, lacks the bundle's model, or gives other scores.
    """

    def __init__(self, channel: Channel, golden: GoldenCheck, settings: RemoteSettings) -> None:
        self._channel, self._settings = channel, settings
        self._threads = ThreadPoolExecutor(settings.in_flight, "remote")
        self._datatype = choose_datatype(channel.read_inputs(settings.timeout_seconds))
        scores, _ = self.infer(golden.patches)
        golden.check(scores, self._datatype)

    def infer(self, patches: NDArray[np.float32]) -> Outputs:
        """Log-mel patches (B, 96, 64) -> scores (B, K), embeddings (B, D); within the time-out.

        Raises:
            ServerError: no answer, or no usable one, after the allowed retries.
        """
        deadline = time.monotonic() + self._settings.timeout_seconds
        for _ in range(self._settings.retries):
            try:
                return self._try(patches, deadline)
            except ServerTimeoutError:
                raise
            except ServerError:  # for instance a stale connection
                continue
        return self._try(patches, deadline)

    def _try(self, patches: NDArray[np.float32], deadline: float) -> Outputs:
        seconds = deadline - time.monotonic()
        if seconds <= 0:
            raise ServerTimeoutError("no answer in time")
        # on threads even for one part: not every library keeps its time-outs
        answers = [
            self._threads.submit(self._channel.infer, part, self._datatype, seconds)
            for part in split_batch(patches, self._settings.in_flight)
        ]
        try:
            outputs = [answer.result(max(0.0, deadline - time.monotonic())) for answer in answers]
        except TimeoutError as error:
            raise ServerTimeoutError("no answer in time") from error
        scores, embeddings = zip(*outputs, strict=True)
        return np.concatenate(scores), np.concatenate(embeddings)


def split_batch(patches: NDArray[np.float32], most: int) -> list[NDArray[np.float32]]:
    """Up to `most` parts, none of them small: 64 patches in 4 parts of 16, 31 in one."""
    parts = max(1, min(most, len(patches) // _LEAST_PART))
    return np.array_split(patches, parts)


def open_channel(url: str, model: ServedModel, settings: RemoteSettings) -> Channel:
    """The channel for the scheme of the url; it connects when it is first used.

    Raises:
        EngineError: a package is not installed, or `ca_file` cannot be read.
    """
    ca_file = settings.ca_file
    if ca_file is not None:
        try:  # the libraries would fail in the middle of a request, or in a client's destructor
            ca_file.read_bytes()
        except OSError as error:
            raise EngineError(f"engine.remote.ca_file: {ca_file}: {error.strerror}") from error
    parts = urlsplit(url)
    if parts.scheme in ("http", "https"):
        return http.HttpChannel(url, model, settings.in_flight, ca_file=ca_file)
    return grpc.GrpcChannel(parts.netloc, model, tls=parts.scheme == "grpcs", ca_file=ca_file)


OpenServer = Callable[[str], Engine]
"""The server at a url, its model checked; raises ServerError, as its `infer` may."""


@dataclass(slots=True)
class _Endpoint:
    """A url, and the server there while it is up."""

    url: str
    backoff: Backoff
    server: Engine | None = None
    up_since: float = 0.0  # monotonic seconds, like the next
    retry_at: float = 0.0
    reason: str = ""  # why it is lost, as last logged


class Servers:
    """The servers of the config, in its order; any thread may use it.

    Lost servers are tried again on a thread of its own, which ends with this object.
    """

    def __init__(
        self,
        urls: Sequence[str],
        open_server: OpenServer,
        settings: RemoteSettings,
        health: RemoteHealth,
    ) -> None:
        first, self._limit_seconds = settings.retry_seconds, settings.retry_limit_seconds
        self._endpoints = {url: _Endpoint(url, Backoff(first, self._limit_seconds)) for url in urls}
        self._open_server, self._health = open_server, health
        self._changed = Condition()
        self._retrying = False
        self._gone = Event()
        weakref.finalize(self, self._gone.set)

    def open_all(self) -> list[str]:
        """Try each server; returns one line for each that is not up."""
        endpoints = self._endpoints.values()
        for endpoint in endpoints:
            self._try(endpoint)
        self._start_retries()
        return [f"{endpoint.url}: {endpoint.reason}" for endpoint in endpoints if endpoint.reason]

    def up(self) -> list[tuple[str, Engine]]:
        """The servers that are up, by url."""
        with self._changed:
            endpoints = self._endpoints.values()
            return [(each.url, each.server) for each in endpoints if each.server is not None]

    def mark_lost(self, url: str, reason: str) -> bool:
        """A server failed: it is down until a retry succeeds. Whether that reason is new."""
        is_news = self._note_lost(self._endpoints[url], reason)
        self._start_retries()
        return is_news

    def wait_for_one(self, seconds: float) -> bool:
        """Wait until a server is up; False if none is after `seconds`."""
        with self._changed:
            return self._changed.wait_for(
                lambda: any(endpoint.server for endpoint in self._endpoints.values()), seconds
            )

    def retry_lost(self) -> float | None:
        """Try the servers that are due; returns seconds until the next, None if none is lost."""
        now = time.monotonic()
        for endpoint in self._endpoints.values():
            if endpoint.server is None and endpoint.retry_at <= now:
                self._try(endpoint)
        with self._changed:
            due = [each.retry_at for each in self._endpoints.values() if each.server is None]
            self._retrying = bool(due)
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _try(self, endpoint: _Endpoint) -> None:
        try:
            server = self._open_server(endpoint.url)
        except ServerError as error:
            self._note_lost(endpoint, str(error))
            return
        except EngineError:  # nothing that a server could mend
            raise
        except Exception as error:  # noqa: BLE001 - of a client library: this server's fault alone
            if self._note_lost(endpoint, describe(error)):
                log.error("model server %s: %s", endpoint.url, trace_of(error))  # noqa: TRY400
            return
        with self._changed:
            endpoint.server, endpoint.up_since, endpoint.reason = server, time.monotonic(), ""
            self._health.servers[endpoint.url].up = True
            self._changed.notify_all()
        log.info("model server %s: up, its model is the bundle's", endpoint.url)

    def _note_lost(self, endpoint: _Endpoint, reason: str) -> bool:
        with self._changed:
            now = time.monotonic()
            if endpoint.server is not None and now - endpoint.up_since >= self._limit_seconds:
                endpoint.backoff.reset()
            endpoint.server, endpoint.retry_at = None, now + endpoint.backoff.next_seconds()
            logged, endpoint.reason = endpoint.reason, reason
            self._health.servers[endpoint.url].up = False
        if reason != logged:  # once an episode, not once a try
            log.warning("model server %s: not up: %s", endpoint.url, reason)
        return reason != logged

    def _start_retries(self) -> None:
        with self._changed:
            lost = any(endpoint.server is None for endpoint in self._endpoints.values())
            if not lost or self._retrying:
                return
            self._retrying = True
        arguments = (weakref.ref(self), self._gone)
        Thread(name="model servers", target=_retry_until_up, args=arguments, daemon=True).start()


def _retry_until_up(reference: weakref.ref[Servers], gone: Event) -> None:
    """The thread's body; it keeps no servers alive that nothing else uses."""
    while True:
        servers = reference()
        seconds = None if servers is None else servers.retry_lost()
        del servers
        if seconds is None:
            return
        gone.wait(seconds)

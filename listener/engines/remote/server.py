"""One model server, and whether what it computes is the bundle."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from listener.config.engine import RemoteSettings
from listener.detection.bundle import ServedModel
from listener.engines.engine import EngineError, Outputs
from listener.engines.remote.channel import (
    Channel,
    ServerError,
    ServerTimeoutError,
    choose_datatype,
)
from listener.engines.remote.expected import Expected
from listener.engines.remote.grpc_channel import GrpcChannel
from listener.engines.remote.http_channel import HttpChannel

_LEAST_PART = 16  # patches; in smaller ones a request costs more than it wins


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

"""Channels and servers that behave as a test says."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from listener.engines.engine import Outputs
from listener.engines.remote.channel import Datatype, ServerError, Tensor
from listener.engines.remote.server import GoldenCheck
from tests.listener.engines.remote.fakes import MODEL, answer_to

PATCHES = np.full((3, 96, 64), 0.5, np.float32)
GOLDEN = GoldenCheck(MODEL, PATCHES, answer_to(PATCHES)[0], 1e-3)


class ScriptedChannel:
    """Answers with scores that are `off` by so much; first it fails with each of `errors`."""

    def __init__(self, *errors: ServerError, takes: str = "FP16", off: float = 0.0) -> None:
        self.errors = list(errors)
        self.sent: list[tuple[int, Datatype]] = []
        self.seconds: list[float] = []
        self.takes, self.off = takes, off
        self._lock = threading.Lock()

    def read_inputs(self, timeout_seconds: float) -> list[Tensor]:
        """One input of the datatype `takes`."""
        self.seconds.append(timeout_seconds)
        return [Tensor("patches", self.takes)]

    def infer(
        self, patches: NDArray[np.float32], datatype: Datatype, timeout_seconds: float
    ) -> Outputs:
        """Raise the next error, or answer."""
        with self._lock:
            self.sent.append((len(patches), datatype))
            self.seconds.append(timeout_seconds)
            if self.errors:
                raise self.errors.pop(0)
        scores, embeddings = answer_to(patches)
        return scores + np.float32(self.off), embeddings


class HangingChannel(ScriptedChannel):
    """Ignores the time-out of requests while it is `stuck`."""

    def __init__(self) -> None:
        super().__init__()
        self.stuck = False
        self.released = threading.Event()

    def infer(
        self, patches: NDArray[np.float32], datatype: Datatype, timeout_seconds: float
    ) -> Outputs:
        """Hang, or answer."""
        if self.stuck:
            self.released.wait(20)
        return super().infer(patches, datatype, timeout_seconds)


class ScriptedServer:
    """An engine whose scores are all `score`; it fails while `error` is set."""

    def __init__(self, score: float) -> None:
        self.score = score
        self.error: str | None = None
        self.batches: list[int] = []

    def infer(self, patches: NDArray[np.float32]) -> Outputs:
        """`score` for each patch."""
        self.batches.append(len(patches))
        if self.error is not None:
            raise ServerError(self.error)
        scores = np.full((len(patches), 2), self.score, np.float32)
        return scores, np.zeros((len(patches), 1), np.float32)


class Network:
    """Servers by url; those in `down` do not answer, with the reason."""

    def __init__(self, **down: str) -> None:
        self.servers = {"a": ScriptedServer(0.25), "b": ScriptedServer(0.5)}
        self.down = dict(down)
        self.tries: list[str] = []

    def open(self, url: str) -> ScriptedServer:
        """The server, or a ServerError."""
        self.tries.append(url)
        if url in self.down:
            raise ServerError(self.down[url])
        return self.servers[url]

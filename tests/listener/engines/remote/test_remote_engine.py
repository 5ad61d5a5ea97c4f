"""A batch goes to the first server that is up, the next one, the local engine, or it waits."""

from __future__ import annotations

import logging
import threading

import numpy as np
import pytest

from listener.config.engine import RemoteSettings
from listener.detection.bundle import Bundle
from listener.engines.engine import Engine, EngineError
from listener.engines.remote.remote_engine import RemoteEngine, open_remote
from listener.engines.remote.server import Servers
from listener.health import FALLBACK, Health, RemoteHealth
from tests.listener.engines.remote.doubles import PATCHES, Network, ScriptedServer
from tests.rigs.mosquitto import free_port

SECONDS = 20.0
NEVER = 3600.0


class Rig:
    """An engine over two servers; `health` is what it counts, `beats` how often it beat."""

    def __init__(self, fallback: Engine | None = None, retry_seconds: float = NEVER) -> None:
        self.network, self.health = Network(), RemoteHealth.of(("a", "b"))
        settings = RemoteSettings(retry_seconds=retry_seconds)
        self.servers = Servers(("a", "b"), self.network.open, settings, self.health)
        self.servers.open_all()
        self.beats = threading.Semaphore(0)
        self.engine = RemoteEngine(self.servers, fallback, self.health, self.beats.release)

    def score(self) -> float:
        """The score of a batch of three patches."""
        scores, _ = self.engine.infer(PATCHES)
        assert scores.shape == (3, 2)
        return float(scores[0, 0])

    def fail(self, *urls: str) -> None:
        """These servers fail from now on."""
        for url in urls:
            self.network.down[url] = self.network.servers[url].error = "cut"

    def counts(self) -> list[tuple[int, int]]:
        """Requests and failures of each server."""
        return [(each.requests, each.failures) for each in self.health.servers.values()]


def test_the_first_server_gets_every_batch_while_it_answers():
    rig = Rig()
    assert [rig.score(), rig.score()] == [0.25, 0.25]
    assert rig.counts() == [(2, 0), (0, 0)]
    assert rig.health.active == "a"


def test_the_next_server_gets_the_batch_that_the_first_one_failed():
    rig = Rig()
    rig.fail("a")
    assert [rig.score(), rig.score()] == [0.5, 0.5]
    assert rig.counts() == [(1, 1), (2, 0)]
    assert rig.health.active == "b"


def test_an_unexpected_error_of_a_client_is_its_servers_fault(caplog: pytest.LogCaptureFixture):
    rig = Rig()

    def fail(patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        raise ZeroDivisionError(len(patches))

    rig.network.servers["a"].infer = fail  # type: ignore[method-assign]
    assert [rig.score() for _ in range(3)] == [0.5] * 3
    assert rig.counts() == [(1, 1), (3, 0)]
    assert caplog.text.count("model server a: unexpected error: Traceback") == 1


def test_the_local_engine_gets_the_batch_that_all_servers_failed(caplog: pytest.LogCaptureFixture):
    local = ScriptedServer(0.75)
    rig = Rig(local)
    rig.fail("a", "b")
    assert [rig.score(), rig.score()] == [0.75, 0.75]
    assert (local.batches, rig.health.fallback_patches) == ([3, 3], 6)
    assert rig.counts() == [(1, 1), (1, 1)]
    assert rig.health.active == FALLBACK
    logged = [each.getMessage() for each in caplog.records if "local engine" in each.getMessage()]
    assert logged == ["no model server answers: patches go to the local engine"]


def test_a_server_that_is_back_gets_the_next_batch(caplog: pytest.LogCaptureFixture):
    rig = Rig(ScriptedServer(0.75), retry_seconds=0.01)
    rig.fail("a", "b")
    assert rig.score() == 0.75
    with caplog.at_level(logging.INFO):
        rig.network.servers["b"].error = None
        del rig.network.down["b"]
        assert rig.servers.wait_for_one(SECONDS)
        assert rig.score() == 0.5
    assert rig.health.active == "b"
    assert "patches go to model server b" in caplog.text


def test_without_a_local_engine_a_batch_waits_and_beats():
    rig = Rig(retry_seconds=0.01)
    rig.fail("a", "b")
    scores: list[float] = []
    waiting = threading.Thread(target=lambda: scores.append(rig.score()))
    waiting.start()
    for _ in range(4):  # two are for the servers that failed
        assert rig.beats.acquire(timeout=SECONDS)
    assert (scores, rig.health.active) == ([], None)
    rig.network.servers["b"].error = None
    del rig.network.down["b"]
    waiting.join(SECONDS)
    assert scores == [0.5]
    assert rig.health.active == "b"


def test_without_a_local_engine_the_station_is_not_ready_while_no_server_answers():
    health = Health(("dog",), "dogs@1")
    remote = health.add_remote(("a", "b"))
    assert health.unready(10.0) == ["engine: no model server answers"]
    remote.active = "b"
    assert health.unready(10.0) == []
    assert health.add_remote(("a", "b")) is remote  # another bundle keeps the counts


def test_no_server_at_the_start_is_an_error_without_a_local_engine(tones_bundle: Bundle):
    url = f"grpc://127.0.0.1:{free_port()}"
    settings = RemoteSettings(urls=(url,))
    with pytest.raises(EngineError, match=rf"no server is up: {url}: unavailable: .*refused"):
        open_remote(tones_bundle, settings, None, RemoteHealth.of((url,)))


def test_no_server_at_the_start_leaves_the_local_engine(tones_bundle: Bundle):
    url = f"http://127.0.0.1:{free_port()}"
    local, health = ScriptedServer(0.75), RemoteHealth.of((url,))
    engine = open_remote(tones_bundle, RemoteSettings(urls=(url,)), local, health)
    scores, _ = engine.infer(np.zeros((1, 96, 64), np.float32))
    assert scores[0, 0] == 0.75
    assert health.fallback_patches == 1

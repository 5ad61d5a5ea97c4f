"""Servers must give the golden scores, answer within the time-out, and are retried when lost."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from listener.config.engine import RemoteSettings
from listener.engines.engine import EngineError
from listener.engines.remote.channel import ServerError, ServerTimeoutError
from listener.engines.remote.grpc import GrpcChannel
from listener.engines.remote.http import HttpChannel
from listener.engines.remote.server import Server, Servers, open_channel, split_batch
from listener.health import RemoteHealth
from tests.listener.engines.remote.doubles import GOLDEN, HangingChannel, Network, ScriptedChannel
from tests.listener.engines.remote.fakes import MODEL, answer_to
from tests.rigs.mosquitto import wait_until

NEVER = 3600.0
SECONDS = 20.0


def settings(**changes: Any) -> RemoteSettings:
    return RemoteSettings.model_validate({"urls": ["grpc://hall:8001"], **changes})


def random_patches(count: int) -> np.ndarray:
    return np.random.default_rng(count).uniform(0.0, 1.0, (count, 96, 64)).astype(np.float32)


@pytest.mark.parametrize(
    ("takes", "off", "refused"),
    [("FP16", 0.004, False), ("FP16", 0.006, True), ("FP32", 0.0005, False), ("FP32", 0.002, True)],
)
def test_only_golden_scores_are_accepted_float16_with_its_own_tolerance(
    takes: str, off: float, refused: bool
):
    channel = ScriptedChannel(takes=takes, off=off)
    if refused:
        with pytest.raises(ServerError, match="golden check: expected scores within"):
            Server(channel, GOLDEN, settings())
    else:
        Server(channel, GOLDEN, settings())
    assert channel.sent == [(3, takes)]


def test_scores_that_are_nan_are_refused():
    with pytest.raises(ServerError, match="they differ by nan"):
        Server(ScriptedChannel(off=float("nan")), GOLDEN, settings())


@pytest.mark.parametrize(
    ("count", "most", "parts"),
    [(1, 4, [1]), (31, 4, [31]), (32, 4, [16, 16]), (32, 1, [32]), (65, 4, [17, 16, 16, 16])],
)
def test_a_large_batch_is_split(count: int, most: int, parts: list[int]):
    patches = random_patches(count)
    parts_of_it = split_batch(patches, most)
    assert [len(part) for part in parts_of_it] == parts
    np.testing.assert_array_equal(np.concatenate(parts_of_it), patches)


def test_the_parts_come_back_in_order():
    channel = ScriptedChannel()
    server = Server(channel, GOLDEN, settings(in_flight=4))
    patches = random_patches(65)
    scores, embeddings = server.infer(patches)
    np.testing.assert_array_equal(scores, answer_to(patches)[0])
    np.testing.assert_array_equal(embeddings, answer_to(patches)[1])
    assert sorted(count for count, _ in channel.sent[1:]) == [16, 16, 16, 17]


def test_a_failure_is_retried_as_often_as_allowed():
    channel = ScriptedChannel()
    server = Server(channel, GOLDEN, settings(retries=2))
    channel.errors = [ServerError("one"), ServerError("two")]
    scores, _ = server.infer(random_patches(1))
    assert len(scores) == 1
    channel.errors = [ServerError("one"), ServerError("two"), ServerError("three")]
    with pytest.raises(ServerError, match="three"):
        server.infer(random_patches(1))


def test_a_time_out_is_not_retried():
    channel = ScriptedChannel()
    server = Server(channel, GOLDEN, settings(retries=2))
    channel.errors = [ServerTimeoutError("late"), ServerTimeoutError("late again")]
    with pytest.raises(ServerTimeoutError, match=r"late$"):
        server.infer(random_patches(1))


def test_all_tries_of_a_batch_share_one_time_out():
    channel = ScriptedChannel()
    server = Server(channel, GOLDEN, settings(retries=1, timeout_seconds=2.0))
    channel.errors, channel.seconds = [ServerError("one")], []
    server.infer(random_patches(1))
    first, second = channel.seconds
    assert 2.0 >= first > second


def test_a_library_that_ignores_the_time_out_is_not_waited_for():
    channel = HangingChannel()
    server = Server(channel, GOLDEN, settings(timeout_seconds=0.2))
    channel.stuck = True
    began = time.monotonic()
    with pytest.raises(ServerTimeoutError):
        server.infer(random_patches(1))
    assert time.monotonic() - began < 15  # it hangs for 20
    channel.released.set()


@pytest.mark.parametrize(
    ("url", "kind"),
    [("grpc://hall:8001", GrpcChannel), ("grpcs://hall:8001", GrpcChannel),
     ("http://hall:8000", HttpChannel), ("https://hall:8000", HttpChannel)],
)  # fmt: skip
def test_the_scheme_says_which_protocol(url: str, kind: type):
    assert isinstance(open_channel(url, MODEL, settings()), kind)


def test_authorities_that_cannot_be_read_are_one_line(tmp_path: Path):
    missing = settings(ca_file=tmp_path / "none.pem")
    for url in ("grpcs://hall:8001", "https://hall:8000"):
        with pytest.raises(EngineError, match=r"ca_file: .*none\.pem: No such file"):
            open_channel(url, MODEL, missing)


def open_servers(network: Network, **changes: Any) -> tuple[Servers, RemoteHealth]:
    settings = RemoteSettings.model_validate({"retry_seconds": 0.01, **changes})
    health = RemoteHealth.of(("a", "b"))
    return Servers(("a", "b"), network.open, settings, health), health


def urls_up(servers: Servers) -> list[str]:
    return [url for url, _ in servers.up()]


def test_servers_keep_the_order_of_the_config():
    servers, health = open_servers(Network())
    assert servers.open_all() == []
    assert urls_up(servers) == ["a", "b"]
    assert [server.up for server in health.servers.values()] == [True, True]


def test_a_server_that_is_down_is_reported_with_its_reason():
    servers, health = open_servers(Network(a="refused"), retry_seconds=NEVER)
    assert servers.open_all() == ["a: refused"]
    assert urls_up(servers) == ["b"]
    assert [server.up for server in health.servers.values()] == [False, True]


def test_a_lost_server_comes_back_in_its_order():
    servers, health = open_servers(Network())
    servers.open_all()
    servers.mark_lost("a", "cut")
    assert servers.wait_for_one(SECONDS)
    wait_until(lambda: urls_up(servers) == ["a", "b"], SECONDS, "a is back")
    assert health.servers["a"].up


def test_a_server_is_retried_until_it_is_up_and_logged_once_an_episode(
    caplog: pytest.LogCaptureFixture,
):
    network = Network(a="refused", b="refused")
    servers, _ = open_servers(network, retry_limit_seconds=0.02)
    with caplog.at_level(logging.INFO):
        servers.open_all()
        wait_until(lambda: network.tries.count("a") >= 5, SECONDS, "five tries")
        assert not servers.wait_for_one(0.0)
        network.down.clear()
        assert servers.wait_for_one(SECONDS)
    logged = [record.getMessage() for record in caplog.records if " a: " in record.getMessage()]
    assert logged[0] == "model server a: not up: refused"
    assert logged.count(logged[0]) == 1


def test_the_wait_doubles_after_each_failure_up_to_a_limit():
    """With jitter: between half and all of 100, 200, 400, 500, 500 seconds."""
    servers, _ = open_servers(Network(a="refused"), retry_seconds=100.0, retry_limit_seconds=500.0)
    for whole in (100.0, 200.0, 400.0, 500.0, 500.0):
        servers.mark_lost("a", "cut")
        wait = servers.retry_lost()
        assert wait is not None
        assert whole / 2 - 1 <= wait <= whole


@pytest.fixture
def retry_threads() -> Callable[[], list[threading.Thread]]:
    """The threads that the test started; some of earlier tests may still be ending."""
    before = set(threading.enumerate())

    def started() -> list[threading.Thread]:
        known = [thread for thread in threading.enumerate() if thread not in before]
        return [thread for thread in known if thread.name == "model servers"]

    return started


def test_the_thread_ends_when_all_are_up(retry_threads: Callable[[], list[threading.Thread]]):
    network = Network(a="refused")
    servers, _ = open_servers(network)
    servers.open_all()
    network.down.clear()
    wait_until(lambda: urls_up(servers) == ["a", "b"], SECONDS, "both are up")
    wait_until(lambda: not retry_threads(), SECONDS, "the thread has ended")


def test_the_thread_ends_with_its_servers(
    retry_threads: Callable[[], list[threading.Thread]],
):
    servers, _ = open_servers(Network(a="refused"), retry_seconds=NEVER, retry_limit_seconds=NEVER)
    servers.open_all()
    assert retry_threads()
    del servers
    gc.collect()
    wait_until(lambda: not retry_threads(), SECONDS, "the thread has ended")

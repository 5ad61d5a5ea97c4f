"""A server is trusted by its golden scores, and never waited for longer than the time-out."""

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
from listener.engines.remote.server import Server, Servers, open_channel, split
from listener.health import RemoteHealth
from tests.listener.engines.remote.doubles import EXPECTED, HangingChannel, ScriptedChannel, Street
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
def test_only_golden_scores_are_trusted_float16_by_its_own_tolerance(
    takes: str, off: float, refused: bool
):
    channel = ScriptedChannel(takes=takes, off=off)
    if refused:
        with pytest.raises(ServerError, match="golden check: expected scores within"):
            Server(channel, EXPECTED, settings())
    else:
        Server(channel, EXPECTED, settings())
    assert channel.sent == [(3, takes)]


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(ServerError, match="they differ by nan"):
        Server(ScriptedChannel(off=float("nan")), EXPECTED, settings())


@pytest.mark.parametrize(
    ("count", "most", "parts"),
    [(1, 4, [1]), (31, 4, [31]), (32, 4, [16, 16]), (32, 1, [32]), (65, 4, [17, 16, 16, 16])],
)
def test_a_large_batch_goes_in_parts(count: int, most: int, parts: list[int]):
    patches = random_patches(count)
    split_up = split(patches, most)
    assert [len(part) for part in split_up] == parts
    np.testing.assert_array_equal(np.concatenate(split_up), patches)


def test_the_parts_come_back_in_order():
    channel = ScriptedChannel()
    server = Server(channel, EXPECTED, settings(in_flight=4))
    patches = random_patches(65)
    scores, embeddings = server.infer(patches)
    np.testing.assert_array_equal(scores, answer_to(patches)[0])
    np.testing.assert_array_equal(embeddings, answer_to(patches)[1])
    assert sorted(count for count, _ in channel.sent[1:]) == [16, 16, 16, 17]


def test_a_failure_is_tried_again_as_often_as_it_is_allowed():
    channel = ScriptedChannel()
    server = Server(channel, EXPECTED, settings(retries=2))
    channel.errors = [ServerError("one"), ServerError("two")]
    scores, _ = server.infer(random_patches(1))
    assert len(scores) == 1
    channel.errors = [ServerError("one"), ServerError("two"), ServerError("three")]
    with pytest.raises(ServerError, match="three"):
        server.infer(random_patches(1))


def test_a_time_out_is_not_waited_for_twice():
    channel = ScriptedChannel()
    server = Server(channel, EXPECTED, settings(retries=2))
    channel.errors = [ServerTimeoutError("late"), ServerTimeoutError("late again")]
    with pytest.raises(ServerTimeoutError, match=r"late$"):
        server.infer(random_patches(1))


def test_all_tries_of_a_batch_share_one_time_out():
    channel = ScriptedChannel()
    server = Server(channel, EXPECTED, settings(retries=1, timeout_seconds=2.0))
    channel.errors, channel.seconds = [ServerError("one")], []
    server.infer(random_patches(1))
    first, second = channel.seconds
    assert 2.0 >= first > second


def test_a_library_that_keeps_no_time_out_is_not_waited_for():
    channel = HangingChannel()
    server = Server(channel, EXPECTED, settings(timeout_seconds=0.2))
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


def open_servers(street: Street, **changes: Any) -> tuple[Servers, RemoteHealth]:
    settings = RemoteSettings.model_validate({"retry_seconds": 0.01, **changes})
    health = RemoteHealth.of(("a", "b"))
    return Servers(("a", "b"), street.open, settings, health), health


def urls_up(servers: Servers) -> list[str]:
    return [url for url, _ in servers.up()]


def test_the_order_is_that_of_the_config():
    servers, health = open_servers(Street())
    assert servers.open_all() == []
    assert urls_up(servers) == ["a", "b"]
    assert [server.up for server in health.servers.values()] == [True, True]


def test_a_server_that_is_not_there_is_told_with_its_reason():
    servers, health = open_servers(Street(a="refused"), retry_seconds=NEVER)
    assert servers.open_all() == ["a: refused"]
    assert urls_up(servers) == ["b"]
    assert [server.up for server in health.servers.values()] == [False, True]


def test_a_lost_server_comes_back_to_its_place():
    servers, health = open_servers(Street())
    servers.open_all()
    servers.lose("a", "cut")
    assert servers.wait_for_one(SECONDS)
    wait_until(lambda: urls_up(servers) == ["a", "b"], SECONDS, "a is back")
    assert health.servers["a"].up


def test_a_server_is_tried_until_it_is_up_and_told_once_an_episode(
    caplog: pytest.LogCaptureFixture,
):
    street = Street(a="refused", b="refused")
    servers, _ = open_servers(street, retry_limit_seconds=0.02)
    with caplog.at_level(logging.INFO):
        servers.open_all()
        wait_until(lambda: street.trials.count("a") >= 5, SECONDS, "five trials")
        assert not servers.wait_for_one(0.0)
        street.shut.clear()
        assert servers.wait_for_one(SECONDS)
    told = [record.getMessage() for record in caplog.records if " a: " in record.getMessage()]
    assert told[0] == "model server a: not up: refused"
    assert told.count(told[0]) == 1


def test_after_each_failure_it_rests_twice_as_long_up_to_a_limit():
    """With jitter: a half to the whole of 100, 200, 400, 500, 500 seconds."""
    servers, _ = open_servers(Street(a="refused"), retry_seconds=100.0, retry_limit_seconds=500.0)
    for whole in (100.0, 200.0, 400.0, 500.0, 500.0):
        servers.lose("a", "cut")
        rest = servers.try_lost()
        assert rest is not None
        assert whole / 2 - 1 <= rest <= whole


@pytest.fixture
def trial_threads() -> Callable[[], list[threading.Thread]]:
    """Those that the test began; of tests before some may still be about to end."""
    before = set(threading.enumerate())

    def begun() -> list[threading.Thread]:
        known = [thread for thread in threading.enumerate() if thread not in before]
        return [thread for thread in known if thread.name == "model servers"]

    return begun


def test_the_thread_ends_when_all_are_up(trial_threads: Callable[[], list[threading.Thread]]):
    street = Street(a="refused")
    servers, _ = open_servers(street)
    servers.open_all()
    street.shut.clear()
    wait_until(lambda: urls_up(servers) == ["a", "b"], SECONDS, "both are up")
    wait_until(lambda: not trial_threads(), SECONDS, "the thread has ended")


def test_the_thread_ends_with_the_engine_that_it_is_for(
    trial_threads: Callable[[], list[threading.Thread]],
):
    servers, _ = open_servers(Street(a="refused"), retry_seconds=NEVER, retry_limit_seconds=NEVER)
    servers.open_all()
    assert trial_threads()
    del servers
    gc.collect()
    wait_until(lambda: not trial_threads(), SECONDS, "the thread has ended")

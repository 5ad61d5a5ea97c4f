"""Which servers are up: lost ones are tried again on a thread that ends when nobody needs it."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from listener.config.engine import RemoteSettings
from listener.engines.remote.servers import Servers
from listener.health import RemoteHealth
from tests.listener.engines.remote.doubles import Street
from tests.rigs.mosquitto import wait_until

NEVER = 3600.0
SECONDS = 20.0


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

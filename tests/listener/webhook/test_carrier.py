"""An outbox and a real server that fails: every event arrives, in order, also over a restart."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import pytest

from listener.config.outputs import WebhookSettings
from listener.health import Health
from listener.mqtt.rest import Rest
from listener.outbox.outbox import Outbox
from listener.outbox.store import Bounds
from listener.webhook.carrier import WebhookCarrier
from listener.webhook.post import PostError, Receiver
from tests.rigs.http_inbox import Inbox, http_inbox
from tests.rigs.mosquitto import wait_until


class ShortRest(Rest):
    """A hundredth of what it is in earnest."""

    def seconds(self, *, taken_over: bool = False) -> float:
        return super().seconds(taken_over=taken_over) / 100


class Webhook:
    """An outbox on disk, and its carrier."""

    def __init__(self, path: Path, port: int) -> None:
        self.health = Health((), "test@1")
        receiver = Receiver(WebhookSettings(url=f"http://127.0.0.1:{port}/", timeout_seconds=5))
        self.carrier = WebhookCarrier(receiver, lambda: ShortRest(Random(1)))
        self.outbox = Outbox(
            path,
            Bounds(),
            "farm",
            "webhook",
            self.carrier,
            self.health,
            "webhook",
            doubtful_seconds=0.0,
        )
        self.carrier.send_for(self.outbox)

    def put(self, *numbers: int) -> None:
        for number in numbers:
            self.outbox.put("webhook", {"number": number})

    @property
    def waiting(self) -> int:
        assert self.health.webhook is not None
        return self.health.webhook.events

    @property
    def dead(self) -> int:
        assert self.health.webhook is not None
        return self.health.webhook.dead


@contextmanager
def running(path: Path, port: int) -> Iterator[Webhook]:
    webhook = Webhook(path, port)
    webhook.outbox.start()
    webhook.carrier.start()
    try:
        yield webhook
    finally:
        webhook.outbox.close()
        webhook.carrier.close()


def numbers(inbox: Inbox) -> list[int]:
    return [document["number"] for document in inbox.taken]


def test_events_arrive_in_order_after_a_server_failed_n_times(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    with http_inbox() as inbox, running(tmp_path / "waiting.db", inbox.port) as webhook:
        inbox.faults += [503, 0, 500, 404, 204, 503]
        with caplog.at_level(logging.INFO):
            webhook.put(*range(30))
            inbox.wait_for(30)
        assert numbers(inbox) == [*range(30)]  # each once: no answer was lost on the way
        assert [document["seq"] for document in inbox.taken] == [*range(1, 31)]
        wait_until(lambda: webhook.waiting == 0, 20, "nothing waits")
    told = [record.message for record in caplog.records if "webhook" in record.message]
    assert sum("events wait" in line for line in told) == 2  # once an episode
    assert sum("arrive again" in line for line in told) == 2


def test_the_negative_control_one_try_each_loses_events():
    """What the rig shows of a webhook without a queue."""
    with http_inbox() as inbox:
        inbox.faults += [503, 0, 500]
        receiver = Receiver(WebhookSettings(url=f"http://127.0.0.1:{inbox.port}/"))
        for number in range(5):
            with suppress(PostError):
                receiver.post(b'{"number": %d}' % number)
        assert numbers(inbox) == [3, 4]


def test_a_message_that_the_server_does_not_want_does_not_hold_up_the_others(tmp_path: Path):
    with http_inbox() as inbox, running(tmp_path / "waiting.db", inbox.port) as webhook:
        inbox.faults += [422]
        webhook.put(*range(5))
        inbox.wait_for(4)
        assert numbers(inbox) == [1, 2, 3, 4]
        wait_until(lambda: webhook.dead == 1, 20, "a dead letter")


def test_what_waits_is_kept_over_a_restart(tmp_path: Path):
    inbox = Inbox()
    with http_inbox(inbox):
        pass  # a port where nobody listens now
    with running(tmp_path / "waiting.db", inbox.port) as webhook:
        webhook.put(*range(20))
        wait_until(lambda: webhook.waiting == 20, 20, "all wait")
    with http_inbox(inbox), running(tmp_path / "waiting.db", inbox.port):
        inbox.wait_for(20)
    assert numbers(inbox) == [*range(20)]

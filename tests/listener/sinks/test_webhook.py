"""An outbox and a real server that fails: every event arrives, in order, also after a restart."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import pytest

from listener.backoff import Backoff
from listener.config.outputs import WebhookSettings
from listener.config.station import ConfigError
from listener.health import Health
from listener.outbox.outbox import Outbox
from listener.outbox.store import Bounds
from listener.sinks.webhook import Receiver, RefusedError, WebhookError, WebhookTransport
from tests.rigs.certificates import make_certificates
from tests.rigs.http_inbox import Inbox, http_inbox
from tests.rigs.mosquitto import free_port, wait_until


class Webhook:
    """An outbox on disk, and its transport."""

    def __init__(self, path: Path, port: int, kind: type[Receiver] = Receiver) -> None:
        self.health = Health((), "test@1")
        receiver = kind(WebhookSettings(url=f"http://127.0.0.1:{port}/", timeout_seconds=5))
        self.transport = WebhookTransport(
            receiver, self.health.faults, Backoff(0.01, 0.15, Random(1))
        )
        self.outbox = Outbox(
            path,
            Bounds(),
            "farm",
            "webhook",
            self.transport,
            self.health,
            "webhook",
            doubtful_seconds=0.0,
        )
        self.transport.set_listener(self.outbox)

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
def running(path: Path, port: int, kind: type[Receiver] = Receiver) -> Iterator[Webhook]:
    webhook = Webhook(path, port, kind)
    webhook.outbox.start()
    webhook.transport.start()
    try:
        yield webhook
    finally:
        webhook.outbox.close()
        webhook.transport.close()


def numbers(inbox: Inbox) -> list[int]:
    return [document["number"] for document in inbox.taken]


def test_events_arrive_in_order_after_the_server_failed_several_times(
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
    logged = [record.message for record in caplog.records if "webhook" in record.message]
    assert sum("events wait" in line for line in logged) == 2  # once an episode
    assert sum("arrive again" in line for line in logged) == 2


def test_the_negative_control_one_try_each_loses_events():
    """A webhook without a queue."""
    with http_inbox() as inbox:
        inbox.faults += [503, 0, 500]
        receiver = Receiver(WebhookSettings(url=f"http://127.0.0.1:{inbox.port}/"))
        for number in range(5):
            with suppress(WebhookError):
                receiver.post(b'{"number": %d}' % number)
        assert numbers(inbox) == [3, 4]


def test_a_refused_message_does_not_hold_up_the_others(tmp_path: Path):
    with http_inbox() as inbox, running(tmp_path / "waiting.db", inbox.port) as webhook:
        inbox.faults += [422]
        webhook.put(*range(5))
        inbox.wait_for(4)
        assert numbers(inbox) == [1, 2, 3, 4]
        wait_until(lambda: webhook.dead == 1, 20, "a dead letter")


def test_waiting_events_survive_a_restart(tmp_path: Path):
    inbox = Inbox()
    with http_inbox(inbox):
        pass  # a port where nobody listens now
    with running(tmp_path / "waiting.db", inbox.port) as webhook:
        webhook.put(*range(20))
        wait_until(lambda: webhook.waiting == 20, 20, "all wait")
    with http_inbox(inbox), running(tmp_path / "waiting.db", inbox.port):
        inbox.wait_for(20)
    assert numbers(inbox) == [*range(20)]


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with http_inbox() as server:
        yield server


def receiver(port: int, **settings: object) -> Receiver:
    url = f"http://127.0.0.1:{port}/hook/abc?key=1"
    return Receiver(WebhookSettings.model_validate({"url": url, **settings}))


def test_the_body_goes_to_path_and_query_with_the_token(inbox: Inbox, tmp_path: Path):
    (tmp_path / "token").write_text("s3cret\n")
    receiver(inbox.port, token_file=tmp_path / "token").post(b'{"a": 1}')
    (posted,) = inbox.requests
    assert (posted.path, posted.body) == ("/hook/abc?key=1", b'{"a": 1}')
    assert posted.headers["Authorization"] == "Bearer s3cret"
    assert posted.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_an_answer_about_the_message_is_final(inbox: Inbox, status: int):
    inbox.faults.append(status)
    with pytest.raises(RefusedError, match=rf"^127\.0\.0\.1 answered {status}$"):
        receiver(inbox.port).post(b"{}")


@pytest.mark.parametrize("status", [301, 307, 401, 403, 404, 408, 429, 500, 503])
def test_an_answer_that_may_be_about_the_server_is_tried_again_and_no_redirect_is_followed(
    inbox: Inbox, status: int
):
    inbox.faults.append(status)
    with pytest.raises(WebhookError, match=f"expected an answer from 200 to 299, got {status}"):
        receiver(inbox.port).post(b"{}")
    assert [posted.path for posted in inbox.requests] == ["/hook/abc?key=1"]


def test_a_server_that_hangs_up_or_is_away_is_tried_again(inbox: Inbox):
    inbox.faults.append(0)
    with pytest.raises(WebhookError, match=r"^RemoteDisconnected"):
        receiver(inbox.port).post(b"{}")
    with pytest.raises(WebhookError, match=r"^ConnectionRefusedError"):
        receiver(free_port()).post(b"{}")


def test_certificates_and_host_names_are_checked(tmp_path: Path):
    made = make_certificates(tmp_path / "certificates", "IP:127.0.0.1")
    with http_inbox(certificates=made) as inbox:
        trusted = {"ca_file": made.authority}
        url = f"https://127.0.0.1:{inbox.port}/"
        Receiver(WebhookSettings(url=url, ca_file=made.authority)).post(b"{}")
        assert len(inbox.requests) == 1
        with pytest.raises(
            WebhookError, match=r"self-signed certificate|unable to get local issuer"
        ):
            Receiver(WebhookSettings(url=url)).post(b"{}")
        other_name = url.replace("127.0.0.1", "localhost")
        with pytest.raises(WebhookError, match="Hostname mismatch"):
            Receiver(WebhookSettings.model_validate({"url": other_name} | trusted)).post(b"{}")
        assert len(inbox.requests) == 1


@pytest.mark.parametrize("token", ["", "two\nlines", "ümlaut"])
def test_a_token_is_one_line(tmp_path: Path, token: str):
    (tmp_path / "token").write_text(token)
    with pytest.raises(ConfigError, match=r"^webhook.token_file: "):
        receiver(1, token_file=tmp_path / "token")


def test_an_invalid_ca_file_is_a_config_error(tmp_path: Path):
    (tmp_path / "ca.pem").write_text("no certificate")
    settings = WebhookSettings(url="https://localhost/", ca_file=tmp_path / "ca.pem")
    with pytest.raises(ConfigError, match=r"^webhook.ca_file: cannot use"):
        Receiver(settings)


class Unlucky(Receiver):
    """Has a bug at the message with the number 3."""

    def post(self, body: bytes) -> None:
        if json.loads(body)["number"] == 3:
            raise ZeroDivisionError("a bug")
        super().post(body)


def test_a_message_with_an_unexpected_error_is_quarantined_and_the_rest_arrives(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    with http_inbox() as inbox, running(tmp_path / "waiting.db", inbox.port, Unlucky) as webhook:
        webhook.put(*range(8))
        inbox.wait_for(7)
        assert numbers(inbox) == [0, 1, 2, 4, 5, 6, 7]
        wait_until(lambda: webhook.waiting == 0, 20, "all are settled")
        assert webhook.health.webhook is not None
        assert webhook.health.webhook.quarantined == 1
    assert webhook.health.faults["webhook-post"] >= 5
    assert caplog.text.count("Traceback") == 1

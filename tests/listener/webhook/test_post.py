"""One POST to a real server: taken, refused, or to be tried again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from listener.config.outputs import WebhookSettings
from listener.config.station import ConfigError
from listener.webhook.post import PostError, Receiver, RefusedError
from tests.rigs.certificates import make_certificates
from tests.rigs.http_inbox import Inbox, http_inbox
from tests.rigs.mosquitto import free_port


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
def test_what_is_said_of_the_message_is_for_good(inbox: Inbox, status: int):
    inbox.faults.append(status)
    with pytest.raises(RefusedError, match=rf"^127\.0\.0\.1 answered {status}$"):
        receiver(inbox.port).post(b"{}")


@pytest.mark.parametrize("status", [301, 307, 401, 403, 404, 408, 429, 500, 503])
def test_what_may_be_of_the_server_is_tried_again_and_no_redirect_is_followed(
    inbox: Inbox, status: int
):
    inbox.faults.append(status)
    with pytest.raises(PostError, match=f"expected an answer from 200 to 299, got {status}"):
        receiver(inbox.port).post(b"{}")
    assert [posted.path for posted in inbox.requests] == ["/hook/abc?key=1"]


def test_a_server_that_hangs_up_or_is_away(inbox: Inbox):
    inbox.faults.append(0)
    with pytest.raises(PostError, match=r"^RemoteDisconnected"):
        receiver(inbox.port).post(b"{}")
    with pytest.raises(PostError, match=r"^ConnectionRefusedError"):
        receiver(free_port()).post(b"{}")


def test_certificates_and_host_names_are_checked(tmp_path: Path):
    made = make_certificates(tmp_path / "certificates", "IP:127.0.0.1")
    with http_inbox(certificates=made) as inbox:
        trusted = {"ca_file": made.authority}
        url = f"https://127.0.0.1:{inbox.port}/"
        Receiver(WebhookSettings(url=url, ca_file=made.authority)).post(b"{}")
        assert len(inbox.requests) == 1
        with pytest.raises(PostError, match=r"self-signed certificate|unable to get local issuer"):
            Receiver(WebhookSettings(url=url)).post(b"{}")
        other_name = url.replace("127.0.0.1", "localhost")
        with pytest.raises(PostError, match="Hostname mismatch"):
            Receiver(WebhookSettings.model_validate({"url": other_name} | trusted)).post(b"{}")
        assert len(inbox.requests) == 1


@pytest.mark.parametrize("token", ["", "two\nlines", "ümlaut"])
def test_a_token_is_one_line(tmp_path: Path, token: str):
    (tmp_path / "token").write_text(token)
    with pytest.raises(ConfigError, match=r"^webhook.token_file: "):
        receiver(1, token_file=tmp_path / "token")


def test_an_authority_that_is_none_is_an_error_of_the_config(tmp_path: Path):
    (tmp_path / "ca.pem").write_text("no certificate")
    settings = WebhookSettings(url="https://localhost/", ca_file=tmp_path / "ca.pem")
    with pytest.raises(ConfigError, match=r"^webhook.ca_file: cannot use"):
        Receiver(settings)

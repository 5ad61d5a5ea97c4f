"""[engine.remote]: valid urls, and time-outs that the watchdog allows."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from listener.config.engine import RemoteSettings


@pytest.mark.parametrize(
    "url",
    ["grpc://10.0.0.5:8001", "grpcs://models.example:443", "http://[::1]:8000", "https://a:1/"],
)
def test_urls_of_four_schemes_are_accepted(url: str):
    assert RemoteSettings(urls=(url,)).urls == (url.rstrip("/"),)


@pytest.mark.parametrize(
    "url",
    [
        "10.0.0.5:8001",
        "ftp://hall:21",
        "grpc://hall",
        "grpc://:8001",
        "http://user:secret@hall:8000",
        "http://hall:8000/path",
        "http://hall:8000?a=b",
        "grpc://hall:99999",
        "grpc://ha ll:8001",
    ],
)
def test_any_other_url_is_refused(url: str):
    with pytest.raises(ValidationError, match=r"expected grpc://|Port out of range"):
        RemoteSettings(urls=(url,))


def test_a_server_twice_is_refused():
    with pytest.raises(ValidationError, match="expected each server once"):
        RemoteSettings(urls=("grpc://hall:1", "grpc://hall:1"))


def test_all_servers_in_turn_take_no_longer_than_a_stage_may():
    urls = tuple(f"grpc://hall:{port}" for port in (1, 2, 3, 4))
    assert RemoteSettings(urls=urls, timeout_seconds=2.0).timeout_seconds == 2.0
    with pytest.raises(ValidationError, match=r"at most 8 s over all servers, got 4 x 2\.1 s"):
        RemoteSettings(urls=urls, timeout_seconds=2.1)

"""Both protocols against servers of a few lines: what goes over the wire, and every failure."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from listener.detection.bundle import ServedModel
from listener.engines.engine import EngineError
from listener.engines.remote.channel import Channel, ServerError, ServerTimeoutError, Tensor
from listener.engines.remote.grpc import GrpcChannel
from listener.engines.remote.http import HttpChannel
from tests.listener.engines.remote.fakes import (
    MODEL,
    Behaviour,
    answer_to,
    grpc_server,
    http_server,
    prompt,
)
from tests.rigs.certificates import Certificates, make_certificates
from tests.rigs.mosquitto import free_port

SECONDS = 20.0
PROTOCOLS = ["grpc", "http"]


def open_at(protocol: str, address: str, model: ServedModel = MODEL) -> Channel:
    return GrpcChannel(address, model) if protocol == "grpc" else HttpChannel(address, model, 2)


@contextmanager
def serving(
    protocol: str, behaviour: Behaviour, certificates: Certificates | None = None
) -> Iterator[str]:
    server = grpc_server if protocol == "grpc" else http_server
    with server(behaviour, certificates) as address:
        yield address


def patches_of(*numbers: float) -> np.ndarray:
    """Patches that begin and end with these numbers."""
    patches = np.zeros((len(numbers), 96, 64), np.float32)
    patches[:, 0, 0] = patches[:, -1, -1] = numbers
    return patches


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("datatype", ["FP16", "FP32"])
def test_patches_go_out_scores_and_embeddings_come_back(protocol: str, datatype: str):
    behaviour, patches = prompt(takes=datatype), patches_of(0.5, -6.25, 0.75)
    with serving(protocol, behaviour) as address:
        channel = open_at(protocol, address)
        assert channel.read_inputs(SECONDS) == [Tensor("patches", datatype)]
        scores, embeddings = channel.infer(patches, datatype, SECONDS)  # type: ignore[arg-type]
    np.testing.assert_array_equal(scores, [[0.5, 0.25], [-6.25, -3.125], [0.75, 0.375]])
    np.testing.assert_array_equal(embeddings, [[0.5], [-6.25], [0.75]])
    assert behaviour.received == [datatype]


def test_a_server_that_takes_no_bytes_gets_json_from_then_on():
    behaviour = prompt(takes_bytes=False)
    with http_server(behaviour) as url:
        channel = open_at("http", url)
        for _ in range(2):
            scores, _ = channel.infer(patches_of(0.1234567), "FP16", SECONDS)
    assert scores[0, 0] == pytest.approx(0.123, abs=1e-6)
    assert behaviour.received == ["FP32", "FP32"]  # JSON has no float16


def test_a_server_without_versions_is_asked_by_name():
    """KServe's own server over HTTP."""
    with http_server(prompt(versions=False)) as url:
        channel = open_at("http", url)
        assert channel.read_inputs(SECONDS) == [Tensor("patches", "FP16")]
        scores, _ = channel.infer(patches_of(0.5), "FP16", SECONDS)
    np.testing.assert_array_equal(scores, [[0.5, 0.25]])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_another_model_is_not_found(protocol: str):
    with serving(protocol, prompt()) as address:
        channel = open_at(protocol, address, ServedModel(MODEL.name, "8"))
        with pytest.raises(ServerError, match=r"not_found: no model|HTTP 404: .*no such model"):
            channel.read_inputs(SECONDS)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_closed_port_is_an_error_at_once(protocol: str):
    address = f"127.0.0.1:{free_port()}"
    channel = open_at(protocol, address if protocol == "grpc" else f"http://{address}")
    with pytest.raises(ServerError, match=r"(?i)refused"):
        channel.read_inputs(SECONDS)
    with pytest.raises(ServerError, match=r"(?i)refused") as raised:
        channel.infer(patches_of(0.5), "FP16", SECONDS)
    assert not isinstance(raised.value, ServerTimeoutError)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_server_that_hangs_is_an_error_after_the_time_out(protocol: str):
    with serving(protocol, Behaviour()) as address:
        channel = open_at(protocol, address)
        with pytest.raises(ServerTimeoutError):
            channel.infer(patches_of(0.5), "FP16", 0.2)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_cut_connection_is_an_error_and_the_next_request_works(protocol: str):
    with serving(protocol, prompt(failures=1)) as address:
        channel = open_at(protocol, address)
        with pytest.raises(ServerError):
            channel.infer(patches_of(0.5), "FP16", SECONDS)
        scores, _ = channel.infer(patches_of(0.5), "FP16", SECONDS)
    np.testing.assert_array_equal(scores, answer_to(patches_of(0.5))[0])


@pytest.mark.parametrize(
    ("module", "protocol"), [("tritonclient.grpc", "grpc"), ("urllib3", "http")]
)
def test_without_the_extra_the_line_names_it(
    module: str, protocol: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, module, None)  # how Python marks a module as absent
    with pytest.raises(EngineError, match=r"pip install 'earshot\[remote\]'"):
        open_at(protocol, "127.0.0.1:1")


def with_tls(protocol: str, address: str, authority: Path) -> Channel:
    if protocol == "grpc":
        return GrpcChannel(address, MODEL, tls=True, ca_file=authority)
    return HttpChannel(address, MODEL, 2, ca_file=authority)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_with_tls_a_server_with_a_valid_certificate_gets_patches(protocol: str, tmp_path: Path):
    made = make_certificates(tmp_path, "IP:127.0.0.1")
    with serving(protocol, prompt(), made) as address:
        scores, _ = with_tls(protocol, address, made.authority).infer(
            patches_of(0.5), "FP16", SECONDS
        )
    np.testing.assert_array_equal(scores, answer_to(patches_of(0.5))[0])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_with_tls_an_unknown_authority_or_another_host_gets_nothing(protocol: str, tmp_path: Path):
    elsewhere = make_certificates(tmp_path / "elsewhere", "DNS:elsewhere.example")
    stranger = make_certificates(tmp_path / "stranger", "IP:127.0.0.1")
    for made in (elsewhere, stranger):
        behaviour = prompt()
        with serving(protocol, behaviour, made) as address:
            channel = with_tls(protocol, address, elsewhere.authority)
            with pytest.raises(ServerError):
                channel.infer(patches_of(0.5), "FP16", SECONDS)
        assert behaviour.received == []

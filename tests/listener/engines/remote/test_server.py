"""A server is trusted by its golden scores, and never waited for longer than the time-out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from listener.config.engine import RemoteSettings
from listener.engines.engine import EngineError
from listener.engines.remote.channel import ServerError, ServerTimeoutError
from listener.engines.remote.grpc_channel import GrpcChannel
from listener.engines.remote.http_channel import HttpChannel
from listener.engines.remote.server import Server, open_channel, split
from tests.listener.engines.remote.doubles import EXPECTED, HangingChannel, ScriptedChannel
from tests.listener.engines.remote.fakes import MODEL, answer_to


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

"""Which inputs of a model are accepted, and which answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from listener.engines.remote.channel import (
    ServerError,
    Tensor,
    choose_datatype,
    read_outputs,
    wire_form,
)


@pytest.mark.parametrize("datatype", ["FP16", "FP32"])
def test_patches_are_sent_as_the_model_takes_them(datatype: str):
    assert choose_datatype([Tensor("patches", datatype)]) == datatype


@pytest.mark.parametrize(
    ("inputs", "line"),
    [
        ([Tensor("patches", "INT8")], "expected a model that takes FP16 or FP32, it takes INT8"),
        ([Tensor("waveform", "FP32")], r"expected a model with the one input patches.*'waveform'"),
        ([], "expected a model with the one input patches"),
    ],
)
def test_another_model_is_refused(inputs: list[Tensor], line: str):
    with pytest.raises(ServerError, match=line):
        choose_datatype(inputs)


def test_float16_keeps_eleven_bits():
    patches = np.array([[[1.0 + 2.0**-10, 1.0 + 2.0**-12, -6.90625]]], np.float32)
    np.testing.assert_array_equal(wire_form(patches, "FP16"), [[[1.0 + 2.0**-10, 1.0, -6.90625]]])
    assert wire_form(patches, "FP32") is patches


def test_an_answer_becomes_writable_float32():
    scores = np.array([[0.5, 0.25]], np.float16)
    scores.flags.writeable = False  # like an array from the wire
    got, embeddings = read_outputs(scores, np.ones((1, 3), np.float32), 1)
    assert got.dtype == embeddings.dtype == np.float32
    got += 1.0
    np.testing.assert_array_equal(got, [[1.5, 1.25]])


@pytest.mark.parametrize(
    ("scores", "line"),
    [
        (None, "expected the output scores, it is not in the answer"),
        (np.zeros((1, 3), np.float32), r"scores: expected 2 row\(s\).*\(1, 3\)"),
        (np.zeros(2, np.float32), r"scores: expected 2 row\(s\).*\(2,\)"),
        (np.zeros((2, 3), np.int32), r"floating-point numbers, got int32"),
        (np.full((2, 3), np.nan, np.float32), "scores: expected finite numbers"),
    ],
)
def test_an_unusable_answer_is_refused(scores: Any, line: str):
    with pytest.raises(ServerError, match=line):
        read_outputs(scores, np.zeros((2, 3), np.float32), 2)

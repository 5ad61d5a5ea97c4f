"""Latencies are counted from the last sample that was needed to the receipt."""

from __future__ import annotations

import json

import pytest

from benchmarks.latency import event_latencies, level_latencies
from benchmarks.subscriber import Receipt
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy

AT = 1_800_000_000.0
ISO = "2027-01-15T08:00:00.000Z"  # the same moment


def receipt(topic: str, document: dict[str, str], after: float) -> Receipt:
    return Receipt(f"earshot/bench/s0/{topic}", json.dumps(document).encode(), AT + after, 0.0)


RECEIPTS = [
    receipt("level", {"at": ISO}, 0.040),
    receipt("event", {"phase": "start", "onset": ISO}, 1.2075 + 0.030),
    receipt("event", {"phase": "end", "onset": ISO}, 9.0),
    receipt("status", {}, 5.0),
]


def test_a_level_is_as_late_as_its_patch_is_old():
    assert level_latencies(RECEIPTS) == [pytest.approx(40, abs=0.01)]


def test_an_event_is_late_from_the_patch_that_decides_and_its_end_does_not_count():
    # a median of three patches: 0.7275 s from the onset to the end of its patch, 0.48 s to the next
    latencies = event_latencies(RECEIPTS, FeatureParams(), LabelPolicy(smoothing_seconds=1.44))
    assert latencies == [pytest.approx(30, abs=0.01)]

"""Broker restarted, connection cut, PUBACK swallowed, black hole.

0 lost; duplicates carry the same `id`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.storm import EVENTS_PER_SECOND, storm

SECONDS = 8.0
SETTLE_SECONDS = 60.0  # five until a black hole is noticed, and at most 15 of rest


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_storm_of_faults_loses_nothing_and_bare_paho_does(tmp_path: Path, seed: int):
    with storm(tmp_path) as parts:
        made = parts.blow(seed, SECONDS)
        station, paho = parts.settle(made, SETTLE_SECONDS)
        assert parts.station.numbers.quarantined == 0  # a bad network makes no poison
    assert made > 0.9 * SECONDS * EVENTS_PER_SECOND
    assert (station.lost, station.out_of_order) == (0, 0)
    assert paho.lost > 0

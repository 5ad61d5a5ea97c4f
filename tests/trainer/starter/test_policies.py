"""Thresholds lie above the background, and below the alarms where those score higher."""

from __future__ import annotations

import numpy as np
import pytest

from listener.soundscape.scene import PlacedSound
from trainer.starter.policies import highest_false_threshold, make_policies, peak_within
from trainer.starter.strips import COLUMNS, LABELS


def test_a_threshold_is_a_quarter_above_the_highest_false_event():
    highest = np.zeros(len(LABELS))
    highest[COLUMNS["siren"]] = 0.6
    highest[COLUMNS["rain"]] = 0.99
    policies = make_policies(highest, {})
    assert list(policies) == [label.slug for label in LABELS]
    assert policies["siren"].on_threshold == pytest.approx(0.7)
    assert policies["siren"].off_threshold == pytest.approx(0.35)
    assert policies["dog"].on_threshold == 0.3  # never less
    assert policies["rain"].on_threshold == 0.97  # never more


def test_a_threshold_is_midway_if_the_faintest_sound_is_above_the_background():
    highest = np.full(len(LABELS), 0.2)
    policies = make_policies(highest, {"siren": 0.6, "doorbell": 0.2})
    assert policies["siren"].on_threshold == pytest.approx(0.4)
    assert policies["doorbell"].on_threshold == 0.4  # no gap between: as without any sound


def test_the_peak_of_an_alarm_is_found_while_it_sounds():
    table = np.zeros((30, len(LABELS)), np.float32)
    column = COLUMNS["siren"]
    table[10:13, column] = 0.7  # 4.8 s to 6.24 s
    table[24:27, column] = 0.9
    sound = PlacedSound("siren", 4.8, 6.2)
    assert peak_within(table, sound) == pytest.approx(0.7)
    assert peak_within(table, PlacedSound("co_alarm", 4.8, 6.2)) == 0.0


def test_a_policy_bridges_the_pauses_of_its_standard():
    policies = make_policies(np.zeros(len(LABELS), np.float32), {})
    # pauses of 1.5 s (ISO 8201), 5 s (NFPA 720), 4 s (the ring), each up to a tenth longer
    assert policies["smoke_alarm"].max_gap_seconds >= 1.65
    assert policies["co_alarm"].max_gap_seconds >= 5.5
    assert policies["telephone"].max_gap_seconds >= 4.4


def test_one_high_patch_alone_is_no_false_event():
    table = np.zeros((20, len(LABELS)), np.float32)
    table[4, COLUMNS["telephone"]] = 0.9
    table[3:8, COLUMNS["crying_baby"]] = 0.82
    highest = highest_false_threshold([table] * 3)
    assert highest[COLUMNS["telephone"]] == 0.0
    assert highest[COLUMNS["crying_baby"]] == pytest.approx(0.8)


def test_two_false_events_of_a_label_are_allowed():
    table = np.zeros((20, len(LABELS)), np.float32)
    table[3:8, COLUMNS["crying_baby"]] = 0.82
    assert not highest_false_threshold([table] * 2).any()


def test_a_single_burst_is_no_false_co_alarm_and_two_are_one_too_many():
    table = np.zeros((30, len(LABELS)), np.float32)
    table[4, COLUMNS["co_alarm"]] = 0.9
    assert highest_false_threshold([table])[COLUMNS["co_alarm"]] == 0.0
    table[16, COLUMNS["co_alarm"]] = 0.9  # 5.8 s later
    highest = highest_false_threshold([table])
    assert highest[COLUMNS["co_alarm"]] == pytest.approx(0.9)

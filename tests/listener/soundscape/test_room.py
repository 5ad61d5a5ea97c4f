"""Reverb leaves the direct sound where it was and adds a tail that decays as asked."""

from __future__ import annotations

import numpy as np
import pytest

from listener.soundscape import SAMPLE_RATE_HZ, reverberate

CLICK = np.array([1.0], np.float32)


def test_the_direct_sound_stays_and_the_tail_begins_10_ms_later():
    wet = reverberate(CLICK, 0.5, np.random.default_rng(0))
    assert wet[0] == pytest.approx(1.0, abs=1e-5)
    assert np.abs(wet[1:160]).max() < 1e-5
    assert np.abs(wet[160:200]).max() > 1e-3
    assert len(wet) == 160 + SAMPLE_RATE_HZ // 2


def test_the_tail_has_the_asked_energy_and_falls_by_60_db():
    wet = reverberate(CLICK, 1.0, np.random.default_rng(0), direct_to_tail_db=3.0)
    tail = wet[160:].astype(np.float64)
    assert np.sum(tail**2) == pytest.approx(10**-0.3, rel=1e-3)
    tenth = SAMPLE_RATE_HZ // 10
    first, last = np.mean(tail[:tenth] ** 2), np.mean(tail[-tenth:] ** 2)
    assert 10 * np.log10(first / last) == pytest.approx(54.0, abs=1.5)  # 60 dB a second over 0.9 s


def test_it_is_linear():
    sound = np.random.default_rng(1).uniform(-1, 1, 5000).astype(np.float32)
    once, twice = (reverberate(k * sound, 0.3, np.random.default_rng(0)) for k in (1, 2))
    np.testing.assert_allclose(2 * once, twice, atol=1e-4)

"""Every alarm has the pitch and the pattern of its standard."""

from __future__ import annotations

import numpy as np
import pytest

from listener.soundscape import sounds
from listener.soundscape.synthesis import SAMPLE_RATE_HZ, Generator
from tests.listener.soundscape.spectra import band_power, cut, pitch_hz, sounds_at

EVERY_ALARM = [generate for variants in sounds.ALARMS.values() for generate in variants]


def nominal(generate: Generator, seconds: float):
    return generate(seconds, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("generate", "sounding", "silent"),
    [
        (sounds.smoke_alarm, [0.25, 1.25, 2.25, 4.25], [0.75, 1.75, 2.75, 3.75, 4.75]),
        (sounds.low_smoke_alarm, [0.25, 1.25, 2.25, 4.25], [0.75, 1.75, 2.75, 3.75]),
        # four pulses in 0.7 s, then 5 s of pause: the next begins at 5.7 s
        (sounds.co_alarm, [0.05, 0.25, 0.45, 0.65, 5.75], [0.15, 0.35, 0.55, 0.75, 5.65]),
        (sounds.reversing_beeper, [0.25, 1.25, 2.25], [0.75, 1.75]),
        # three beeps of 0.2 s, 0.2 s apart, then 1 s: the next begins at 2 s
        (sounds.appliance_beep, [0.1, 0.5, 0.9, 2.1], [0.3, 0.7, 1.1, 1.9]),
        (sounds.busy_signal, [0.25, 1.25], [0.75, 1.75]),
        (sounds.dial_tone, [0.5, 3.0, 5.5], []),
        (sounds.telephone_bell, [1.0, 7.0], [2.5, 5.5]),
        (sounds.doorbell, [0.2, 1.0, 4.2], [3.5]),
    ],
)
def test_the_pattern_is_that_of_the_standard(generate, sounding, silent):
    samples = nominal(generate, 10.0)
    assert [at for at in sounding if not sounds_at(samples, at)] == []
    assert [at for at in silent if sounds_at(samples, at)] == []


@pytest.mark.parametrize(
    ("generate", "onset", "seconds", "expected_hz"),
    [
        (sounds.smoke_alarm, 0.0, 0.5, 3150.0),
        (sounds.low_smoke_alarm, 0.0, 0.5, 520.0),
        (sounds.co_alarm, 0.0, 0.1, 3150.0),
        (sounds.reversing_beeper, 0.0, 0.5, 1250.0),
        (sounds.appliance_beep, 0.0, 0.2, 2100.0),
        (sounds.doorbell, 0.0, 0.7, 659.0),
        (sounds.doorbell, 0.7, 1.0, 659.0 * 4 / 5),  # a major third lower
        (sounds.hi_lo, 0.0, 0.75, 435.0),
        (sounds.hi_lo, 0.75, 0.75, 580.0),
        (sounds.hi_lo, 3.0, 0.75, 435.0),  # low to high twice in 3 s
        # from 650 Hz to 1450 Hz and back, 20 and 200 times a minute
        (sounds.wail, 1.45, 0.1, 1450.0),
        (sounds.wail, 2.95, 0.1, 650.0),
        (sounds.yelp, 0.14, 0.02, 1450.0),
    ],
)
def test_the_pitch_is_that_of_the_standard(generate, onset, seconds, expected_hz):
    sound = cut(nominal(generate, 6.0), onset, seconds)
    assert pitch_hz(sound) == pytest.approx(expected_hz, rel=0.01)


@pytest.mark.parametrize(
    ("generate", "pair"), [(sounds.busy_signal, (480, 620)), (sounds.dial_tone, (350, 440))]
)
def test_a_telephone_tone_is_two_sines(generate, pair):
    sound = cut(nominal(generate, 1.0), 0.0, 0.5)
    both = sum(band_power(sound, hz - 20, hz + 20) for hz in pair)
    assert both / band_power(sound, 0, 8000) > 0.98


def test_a_low_smoke_alarm_is_a_square_wave():
    pulse = cut(nominal(sounds.low_smoke_alarm, 1.0), 0.0, 0.5)
    first, second, third = (band_power(pulse, k * 520 - 50, k * 520 + 50) for k in (1, 2, 3))
    assert second < 1e-3 * first
    assert third / first == pytest.approx(1 / 9, rel=0.05)  # a third of the amplitude


@pytest.mark.parametrize("generate", EVERY_ALARM)
def test_samples_have_the_requested_length_and_do_not_clip(generate: Generator):
    for jitter in (0.0, 1.0):
        samples = generate(3.21, np.random.default_rng(7), jitter)
        assert samples.dtype == np.float32
        assert samples.shape == (round(3.21 * SAMPLE_RATE_HZ),)
        assert 0.5 < np.abs(samples).max() <= 1.0


@pytest.mark.parametrize("generate", EVERY_ALARM)
def test_jitter_depends_on_the_seed_and_without_it_nothing_varies(generate: Generator):
    def make(seed: int, jitter: float):
        return generate(4.0, np.random.default_rng(seed), jitter)

    np.testing.assert_array_equal(make(1, 1.0), make(1, 1.0))
    assert not np.array_equal(make(1, 1.0), make(2, 1.0))
    np.testing.assert_array_equal(make(1, 0.0), make(2, 0.0))


def test_jitter_stays_within_the_standards_tenth():
    for seed in range(20):
        samples = sounds.smoke_alarm(4.0, np.random.default_rng(seed), 1.0)
        assert pitch_hz(cut(samples, 0.0, 0.45)) == pytest.approx(3150.0, rel=0.101)
        assert sounds_at(samples, 0.44)
        assert not sounds_at(samples, 0.56)
        assert not sounds_at(samples, 0.89)
        assert sounds_at(samples, 1.11)

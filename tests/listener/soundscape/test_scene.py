"""A mixed scene has every sound where its truth says, at the requested level."""

from __future__ import annotations

import numpy as np
import pytest

from listener.soundscape.scene import (
    PlacedSound,
    at_level,
    clip_sound,
    mix_scene,
    reverberate,
    rms_without_pauses,
    without_clipping,
)
from listener.soundscape.sounds import smoke_alarm
from listener.soundscape.synthesis import SAMPLE_RATE_HZ, white_noise
from tests.listener.soundscape.spectra import band_power, cut

ALARM = PlacedSound("smoke_alarm", 2.0, 6.0)
CLICK = np.array([1.0], np.float32)


def rms_dbfs(samples):
    return 20 * np.log10(np.sqrt(np.mean(np.square(samples.astype(np.float64)))))


def test_a_sound_is_at_its_snr_between_onset_and_offset_and_nowhere_else():
    scene = mix_scene([(ALARM, smoke_alarm)], 8.0, snr_db=20.0, background_dbfs=-50.0, seed=3)
    empty = mix_scene([], 8.0, snr_db=20.0, background_dbfs=-50.0, seed=3)
    added = scene.samples - empty.samples
    assert scene.truth == (ALARM,)
    assert len(scene.samples) == 8 * SAMPLE_RATE_HZ
    assert rms_dbfs(empty.samples) == pytest.approx(-50.0, abs=0.1)
    assert not added[: 2 * SAMPLE_RATE_HZ].any()
    assert not added[6 * SAMPLE_RATE_HZ :].any()
    # within a pulse: the pauses of the pattern do not count
    assert rms_dbfs(cut(added, 2.02, 0.46)) == pytest.approx(-30.0, abs=0.1)


def test_the_same_seed_gives_the_same_samples_and_another_seed_others():
    def samples(seed: int):
        return mix_scene([(ALARM, smoke_alarm)], 8.0, snr_db=20.0, jitter=1.0, seed=seed).samples

    np.testing.assert_array_equal(samples(1), samples(1))
    assert not np.array_equal(samples(1), samples(2))


def test_reverb_rings_on_after_the_offset():
    def after(reverb_seconds: float):
        sounds = [(ALARM, clip_sound(np.ones(160, np.float32)))]
        mixed = mix_scene(sounds, 8.0, snr_db=40.0, reverb_seconds=reverb_seconds)
        return cut(mixed.samples, 6.02, 0.1)

    assert rms_dbfs(after(0.5)) > rms_dbfs(after(0.0)) + 6


def test_the_background_is_the_given_one():
    scene = mix_scene([], 2.0, snr_db=0.0, background=white_noise, background_dbfs=-20.0)
    assert rms_dbfs(scene.samples) == pytest.approx(-20.0, abs=0.1)
    share = band_power(scene.samples, 4000, 8000) / band_power(scene.samples, 0, 8000)
    assert share == pytest.approx(0.5, abs=0.05)  # white


def test_a_clip_is_repeated():
    clip = np.array([0.1, 0.2, 0.3], np.float32)
    played = clip_sound(clip)(5 / SAMPLE_RATE_HZ, np.random.default_rng(0))
    np.testing.assert_array_equal(played, np.array([0.1, 0.2, 0.3, 0.1, 0.2], np.float32))


@pytest.mark.parametrize(("onset", "offset"), [(-1.0, 2.0), (3.0, 3.0), (7.0, 9.0)])
def test_a_sound_outside_the_scene_is_refused(onset: float, offset: float):
    placed = PlacedSound("smoke_alarm", onset, offset)
    with pytest.raises(ValueError, match=r"smoke_alarm: expected 0 <= onset < offset <= 8 s, got"):
        mix_scene([(placed, smoke_alarm)], 8.0, snr_db=20.0)


def test_pauses_do_not_count_as_level():
    half = np.concatenate((np.full(3200, 0.5), np.zeros(3200))).astype(np.float32)
    assert rms_without_pauses(half) == pytest.approx(0.5)
    assert rms_dbfs(at_level(half, -26.0)[:3200]) == pytest.approx(-26.0)


def test_silence_stays_silence():
    silence = np.zeros(1000, np.float32)
    assert not at_level(silence, -20.0).any()


def test_a_scene_that_would_clip_is_scaled_down_as_a_whole():
    np.testing.assert_allclose(without_clipping(np.array([2.0, -1.0], np.float32)), [1.0, -0.5])
    np.testing.assert_array_equal(
        without_clipping(np.array([0.5, -0.25], np.float32)), np.array([0.5, -0.25], np.float32)
    )


def test_reverb_keeps_the_direct_sound_and_starts_its_tail_10_ms_later():
    wet = reverberate(CLICK, 0.5, np.random.default_rng(0))
    assert wet[0] == pytest.approx(1.0, abs=1e-5)
    assert np.abs(wet[1:160]).max() < 1e-5
    assert np.abs(wet[160:200]).max() > 1e-3
    assert len(wet) == 160 + SAMPLE_RATE_HZ // 2


def test_the_tail_has_the_requested_energy_and_falls_by_60_db():
    wet = reverberate(CLICK, 1.0, np.random.default_rng(0), direct_to_tail_db=3.0)
    tail = wet[160:].astype(np.float64)
    assert np.sum(tail**2) == pytest.approx(10**-0.3, rel=1e-3)
    tenth = SAMPLE_RATE_HZ // 10
    first, last = np.mean(tail[:tenth] ** 2), np.mean(tail[-tenth:] ** 2)
    assert 10 * np.log10(first / last) == pytest.approx(54.0, abs=1.5)  # 60 dB a second over 0.9 s


def test_reverb_is_linear():
    sound = np.random.default_rng(1).uniform(-1, 1, 5000).astype(np.float32)
    once, twice = (reverberate(k * sound, 0.3, np.random.default_rng(0)) for k in (1, 2))
    np.testing.assert_allclose(2 * once, twice, atol=1e-4)

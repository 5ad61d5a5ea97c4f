"""A varied copy depends on the settings and the seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trainer.augment.augmentation import Augmentation, augment

RATE_HZ = 16_000
CLIP = np.random.default_rng(0).normal(0.0, 0.1, RATE_HZ).astype(np.float32)
NOTHING = Augmentation(gain_db=(0.0, 0.0), noise_chance=0.0, far_chance=0.0, band_chance=0.0)
EVERYTHING = Augmentation(
    shift_seconds=0.2,
    pitch_chance=1.0,
    speed_chance=1.0,
    reverb_chance=1.0,
    far_chance=1.0,
    noise_chance=1.0,
    band_chance=1.0,
)


def vary(augmentation: Augmentation, seed: int = 0, backgrounds=()):
    return augment(CLIP, augmentation, RATE_HZ, np.random.default_rng(seed), backgrounds)


def test_no_strength_changes_nothing():
    np.testing.assert_array_equal(vary(NOTHING), CLIP)


def test_a_copy_depends_on_the_seed():
    np.testing.assert_array_equal(vary(EVERYTHING, 1), vary(EVERYTHING, 1))
    assert not np.array_equal(vary(EVERYTHING, 1)[:100], vary(EVERYTHING, 2)[:100])


def test_all_at_once_stays_finite_float32():
    copy = vary(EVERYTHING)
    assert copy.dtype == np.float32
    assert np.isfinite(copy).all()
    assert RATE_HZ / 1.1 - 1 <= len(copy) <= RATE_HZ / 0.9 + 1


def test_only_speed_changes_the_length():
    rooms, far = Augmentation(pitch_chance=1.0, reverb_chance=1.0), Augmentation(far_chance=1.0)
    for augmentation in (rooms, far, Augmentation(band_chance=1.0)):
        assert len(vary(augmentation)) == RATE_HZ


def test_a_fixed_gain_is_that_gain():
    louder = vary(replace(NOTHING, gain_db=(20.0, 20.0)))
    np.testing.assert_allclose(louder, 10 * CLIP, rtol=1e-5)


def test_a_band_limited_copy_has_nothing_above_its_limit():
    copy = vary(
        replace(NOTHING, band_chance=1.0, band_hz=(3_400.0, 3_400.0), band_coded_chance=0.5)
    )
    spectrum = np.abs(np.fft.rfft(copy * np.hanning(RATE_HZ)))
    assert spectrum[3_600:].max() < 0.01 * spectrum[:3_000].mean()


def test_a_far_copy_is_softer_and_duller():
    copy = vary(
        replace(NOTHING, far_chance=1.0, far_hz=(1_000.0, 1_000.0), far_loss_db=(12.0, 12.0))
    )
    before, after = (np.abs(np.fft.rfft(samples)) ** 2 for samples in (CLIP, copy))
    assert after[4_000:].mean() < 0.1 * after[:1_000].mean()
    assert np.mean(copy**2) < np.mean(CLIP**2) / 4
    assert before[4_000:].mean() == pytest.approx(before[:1_000].mean(), rel=0.2)  # white


def test_given_backgrounds_are_mixed_in():
    augmentation = replace(NOTHING, noise_chance=1.0, background_chance=1.0, snr_db=(0.0, 0.0))
    added = vary(augmentation, backgrounds=[np.ones(10, np.float32)]) - CLIP
    np.testing.assert_allclose(added, added[0], rtol=1e-3)
    assert added[0] ** 2 == pytest.approx(np.mean(CLIP**2), rel=1e-3)


def test_an_empty_clip_stays_empty():
    none = augment(CLIP[:0], EVERYTHING, RATE_HZ, np.random.default_rng(0))
    assert len(none) == 0


@pytest.mark.parametrize(
    ("strengths", "message"),
    [
        ({"noise_chance": 1.5}, r"noise_chance: expected a chance in \[0, 1\], got 1.5"),
        ({"snr_db": (5.0, 0.0)}, r"snr_db: expected least <= most"),
    ],
)
def test_impossible_strengths_are_refused(strengths, message: str):
    with pytest.raises(ValueError, match=message):
        Augmentation(**strengths)

"""Strips: the right patches are labelled, and the same seed draws the same ones."""

from __future__ import annotations

import numpy as np
import pytest

from listener.detection.features import log_mel_patches
from trainer.starter.strips import (
    COLUMNS,
    FEATURES,
    LABELS,
    PATCHES,
    STRIP_SAMPLES,
    Layer,
    Recording,
    StripMaker,
    audible_in_patches,
    mix,
)

HOP = FEATURES.patch_hop_samples
BARK = Recording("1-1-A-0", "dog", 1, np.sin(np.arange(80_000) / 5).astype(np.float32))


def sound_between(onset: int, offset: int):
    samples = np.zeros(STRIP_SAMPLES, np.float32)
    samples[onset:offset] = 0.5
    return samples


def test_a_strip_gives_exactly_its_patches():
    patches = log_mel_patches(np.zeros(STRIP_SAMPLES, np.float32), FEATURES)
    assert len(patches) == PATCHES


def test_a_sound_is_audible_in_the_patches_that_hold_a_tenth_of_a_second_of_it():
    # patch k holds the samples from k * HOP to about (k + 2) * HOP: this is in 3 and 4
    audible = audible_in_patches(sound_between(4 * HOP + 320, 4 * HOP + 3520), 0.1)
    np.testing.assert_allclose(audible, [0, 0, 0, 1, 1, 0, 0, 0, 0, 0])


def test_half_of_a_tenth_of_a_second_counts_half():
    audible = audible_in_patches(sound_between(4 * HOP + 320, 4 * HOP + 320 + 800), 0.1)
    assert audible[4] == pytest.approx(0.6)  # 50 ms touch three frames of 20 ms


def test_sound_20_db_below_the_loudest_does_not_count():
    samples = sound_between(0, HOP)
    samples[6 * HOP : 8 * HOP] = 0.5 * 10 ** (-21 / 20)
    assert audible_in_patches(samples, 0.1)[6] == 0.0
    assert not audible_in_patches(np.zeros(STRIP_SAMPLES, np.float32), 0.1).any()


def test_a_mix_is_the_sum_and_labels_only_what_has_a_label():
    strip = mix(
        [
            Layer("siren", sound_between(0, STRIP_SAMPLES)),
            Layer(None, sound_between(0, STRIP_SAMPLES) / 4),
        ]
    )
    np.testing.assert_allclose(strip.samples, 0.625)
    assert strip.targets[:, COLUMNS["siren"]].tolist() == [1.0] * PATCHES
    assert strip.targets.sum() == PATCHES


def test_the_same_seed_draws_the_same_strips():
    maker = StripMaker([BARK])
    first, again = (
        [maker.draw(rng) for _ in range(8)]
        for rng in (np.random.default_rng(1), np.random.default_rng(1))
    )
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)
        np.testing.assert_array_equal(one.targets, other.targets)


def test_strips_hold_recordings_alarms_and_nothing_and_never_clip():
    rng = np.random.default_rng(0)
    maker = StripMaker([BARK])
    strips = [maker.draw(rng) for _ in range(120)]
    highest = np.max([strip.targets.max(axis=0) for strip in strips], axis=0)
    audible = {label.slug for label in LABELS if highest[COLUMNS[label.slug]] == 1.0}
    assert "dog" in audible
    assert {"smoke_alarm", "siren", "telephone"} <= audible
    assert any(not strip.targets.any() for strip in strips)
    assert all(np.abs(strip.samples).max() <= 1.0 for strip in strips)
    assert {strip.samples.shape for strip in strips} == {(STRIP_SAMPLES,)}


def test_an_alarm_needs_more_of_itself_than_a_recording():
    sound = sound_between(4 * HOP + 320, 4 * HOP + 320 + 2400)  # 0.15 s, in 8 frames of 20 ms
    alarm, bark = (mix([Layer(label, sound)]).targets for label in ("siren", "dog"))
    assert alarm[4, COLUMNS["siren"]] == pytest.approx(0.16 / 0.3)
    assert bark[4, COLUMNS["dog"]] == 1.0

"""Random scenes: in order, inside, every label in its turn, the same for a seed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from listener.soundscape import (
    ALARMS,
    SAMPLE_RATE_HZ,
    Programme,
    ambience,
    busy_ambience,
    random_scene,
)


def test_sounds_lie_inside_one_after_the_other():
    for seed in range(10):
        scene = random_scene(Programme(), seed)
        assert len(scene.truth) == 2
        times = [time for sound in scene.truth for time in (sound.onset, sound.offset)]
        assert times[0] >= 0.0
        assert times[-1] <= 30.0
        assert all(earlier < later for earlier, later in pairwise(times))
        assert all(5.99 < sound.offset - sound.onset < 10.01 for sound in scene.truth)


def test_every_label_comes_in_its_turn():
    programme = Programme(seconds=4.0, shortest_seconds=1.0, longest_seconds=2.0)
    heard = [sound.label for seed in range(7) for sound in random_scene(programme, seed).truth]
    assert heard == list(ALARMS) * 2


def test_the_same_seed_gives_the_same_scene():
    programme = Programme(seconds=8.0, shortest_seconds=2.0, longest_seconds=3.0)
    first, again, other = (random_scene(programme, seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.samples, again.samples)
    assert first.truth == again.truth
    assert first.truth != other.truth


def test_no_sounds_is_a_background_at_a_level_within_the_range():
    programme = Programme(seconds=5.0, sounds_per_scene=0, background_dbfs=(-40.0, -30.0))
    for seed in range(5):
        scene = random_scene(programme, seed)
        assert scene.truth == ()
        rms = np.sqrt(np.mean(np.square(scene.samples)))
        assert -41.0 < 20 * np.log10(rms) < -29.0


def test_more_sounds_than_fit_are_refused():
    with pytest.raises(ValueError, match=r"sounds_per_scene: expected at most 3 of 10 s in 30 s"):
        Programme(sounds_per_scene=4)


@pytest.mark.parametrize("background", [ambience, busy_ambience])
def test_backgrounds_have_the_asked_length_and_do_not_clip(background):
    samples = background(12.0, np.random.default_rng(0))
    assert samples.shape == (12 * SAMPLE_RATE_HZ,)
    assert samples.dtype == np.float32
    assert 0.0 < np.abs(samples).max() <= 1.0

"""Random scenes: sounds in order and inside, labels in turn, the same scene for the same seed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from listener.soundscape.schedule import SceneSpec, ambience, busy_ambience, random_scene
from listener.soundscape.sounds import ALARMS
from listener.soundscape.synthesis import SAMPLE_RATE_HZ


def test_sounds_lie_inside_the_scene_one_after_the_other():
    for seed in range(10):
        scene = random_scene(SceneSpec(), seed)
        assert len(scene.truth) == 2
        times = [time for sound in scene.truth for time in (sound.onset, sound.offset)]
        assert times[0] >= 0.0
        assert times[-1] <= 30.0
        assert all(earlier < later for earlier, later in pairwise(times))
        assert all(5.99 < sound.offset - sound.onset < 10.01 for sound in scene.truth)


def test_labels_take_turns():
    spec = SceneSpec(seconds=4.0, shortest_seconds=1.0, longest_seconds=2.0)
    labels = [sound.label for seed in range(7) for sound in random_scene(spec, seed).truth]
    assert labels == list(ALARMS) * 2


def test_the_same_seed_gives_the_same_scene():
    spec = SceneSpec(seconds=8.0, shortest_seconds=2.0, longest_seconds=3.0)
    first, again, other = (random_scene(spec, seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.samples, again.samples)
    assert first.truth == again.truth
    assert first.truth != other.truth


def test_a_scene_without_sounds_is_a_background_at_a_level_within_the_range():
    spec = SceneSpec(seconds=5.0, sounds_per_scene=0, background_dbfs=(-40.0, -30.0))
    for seed in range(5):
        scene = random_scene(spec, seed)
        assert scene.truth == ()
        rms = np.sqrt(np.mean(np.square(scene.samples)))
        assert -41.0 < 20 * np.log10(rms) < -29.0


def test_more_sounds_than_fit_are_refused():
    with pytest.raises(ValueError, match=r"sounds_per_scene: expected at most 3 of 10 s in 30 s"):
        SceneSpec(sounds_per_scene=4)


@pytest.mark.parametrize("background", [ambience, busy_ambience])
def test_backgrounds_have_the_requested_length_and_do_not_clip(background):
    samples = background(12.0, np.random.default_rng(0))
    assert samples.shape == (12 * SAMPLE_RATE_HZ,)
    assert samples.dtype == np.float32
    assert 0.0 < np.abs(samples).max() <= 1.0

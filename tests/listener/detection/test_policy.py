"""LabelPolicy: what can be one, and its smoothing in patches."""

import pytest

from listener.detection.policy import DurationClass, LabelPolicy, policy_for


@pytest.mark.parametrize(
    ("on", "off"), [(0.3, 0.5), (0.5, 0.0), (1.1, 0.5), (float("nan"), 0.5), (0.5, float("nan"))]
)
def test_impossible_thresholds_are_refused(on: float, off: float):
    with pytest.raises(ValueError, match="expected 0 < off <= on <= 1"):
        LabelPolicy(on_threshold=on, off_threshold=off)


@pytest.mark.parametrize(
    "name",
    ["smoothing_seconds", "min_duration_seconds", "max_gap_seconds", "refractory_seconds"],
)
@pytest.mark.parametrize("value", [-0.1, float("nan")])
def test_a_time_is_not_negative(name: str, value: float):
    with pytest.raises(ValueError, match=f"{name}: expected 0 to 86400"):
        LabelPolicy(**{name: value})


@pytest.mark.parametrize(
    ("seconds", "hop_seconds", "patches"),
    [
        (0.0, 0.48, 1),
        (0.48, 0.48, 1),
        (0.9, 0.48, 1),
        (1.44, 0.48, 3),
        (2.0, 0.48, 5),
        (2.4, 0.48, 5),
        (1.3, 0.12, 11),
        (0.96, 0.96, 1),
    ],
)
def test_smoothing_is_the_nearest_odd_number_of_patches(
    seconds: float, hop_seconds: float, patches: int
):
    smoothing = LabelPolicy(smoothing_seconds=seconds).smoothing_patches(hop_seconds)
    assert smoothing % 2 == 1
    assert smoothing == patches


@pytest.mark.parametrize(
    ("duration_class", "patches"),
    [(DurationClass.IMPULSIVE, 1), (DurationClass.SHORT, 3), (DurationClass.SUSTAINED, 5)],
)
def test_the_shorter_a_sound_the_fewer_patches_are_smoothed(
    duration_class: DurationClass, patches: int
):
    assert policy_for(duration_class).smoothing_patches(0.24) == patches

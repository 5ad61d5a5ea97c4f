"""Forms whose scores are known, measured on the same clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from listener.detection.bundle import GOLDEN_TOLERANCE
from tests.trainer.data.doubles import PARAMS, make_clip, make_table, write_tone
from trainer.config import Form
from trainer.errors import DataError, QuantisationError
from trainer.quantisation.measure import (
    QuantisedFigures,
    evaluate_forms,
    golden_tolerance,
    lost_points,
    measure_speeds,
    representative_patches,
    smallest,
    split_clips,
)
from trainer.quantisation.shrink import choose_form

Outputs = tuple[NDArray[np.float32], NDArray[np.float32]]

PATCHES = np.zeros((5, 96, 64), np.float32)
FLOAT32 = QuantisedFigures("float32", 4_000, 1.0, 0.9, 0.95, 0.0, 0.0, 0.001)
FLOAT16 = replace(FLOAT32, form="float16", size_bytes=2_000)
INT8 = replace(FLOAT32, form="int8", size_bytes=1_000, speed=2.5, golden_tolerance=0.05)


def by_level(patches: NDArray[np.float32]) -> Outputs:
    """Scores `loud` for a tone of 0.5, `soft` for one of 0.001."""
    loud = (patches.max(axis=(1, 2)) > 0).astype(np.float32)
    return np.stack([0 * loud, loud, 1 - loud], axis=1), patches[:, 0]


def always_loud(patches: NDArray[np.float32]) -> Outputs:
    return np.tile(np.array([0.9, 0.6, 0.4], np.float32), (len(patches), 1)), patches[:, 0]


def test_each_form_is_evaluated_on_the_same_clips(tmp_path: Path):
    """Three clips are loud and one is soft: calling all of them loud is right three times of four."""
    levels = {"a.wav": 0.5, "b.wav": 0.5, "c.wav": 0.001, "d.wav": 0.5}
    (tmp_path / "broken.wav").write_text("not audio")
    clips = [
        make_clip(
            write_tone(tmp_path / name, 1.0 + level, level=level), "loud" if level > 0.1 else "soft"
        )
        for name, level in levels.items()
    ]
    table = make_table(*clips, make_clip(tmp_path / "broken.wav", "loud"))
    labels = ("other", "loud", "soft")
    found = evaluate_forms({"float32": by_level, "int8": always_loud}, table, labels, PARAMS)
    assert (found["float32"].accuracy, found["int8"].accuracy) == (1.0, 0.75)
    assert found["float32"].average_precision == 1.0
    assert found["int8"].average_precision == pytest.approx((0.75 + 0.25) / 2)
    assert found["int8"].clips == 4
    with pytest.raises(DataError, match="expected clips that can be read, got none of 1"):
        evaluate_forms({"float32": by_level}, make_table(table.clips[-1]), ["loud"], PARAMS)


def steps_of(height: float):
    """Scores 0 or `height` by the sign of the first bin: rounding near 0 moves them all the way."""

    def infer(patches: NDArray[np.float32]) -> Outputs:
        return height * (patches[:, :1, 0] > 0).astype(np.float32), patches[:, 0]

    return infer


def smooth(patches: NDArray[np.float32]) -> Outputs:
    return patches.mean(axis=(1, 2))[:, None], patches[:, 0]


def test_the_tolerance_is_twice_what_rounding_moves_the_scores_by():
    at_the_edge = np.zeros((4, 96, 64), np.float32)
    assert golden_tolerance(steps_of(0.2), at_the_edge) == pytest.approx(0.4)
    assert golden_tolerance(steps_of(0.2), at_the_edge + 1) == GOLDEN_TOLERANCE
    assert golden_tolerance(smooth, at_the_edge) == GOLDEN_TOLERANCE


@pytest.mark.parametrize(("clips", "first"), [(2, 1), (19, 1), (20, 2), (80, 8), (1_000, 40)])
def test_one_clip_in_ten_calibrates(clips: int, first: int):
    table = make_table(*(make_clip(Path(f"{number}.wav")) for number in range(clips)))
    calibration, evaluation = split_clips(table)
    assert len(calibration.clips) == first
    assert sorted(calibration.clips + evaluation.clips, key=table.clips.index) == list(table.clips)


def test_one_clip_is_too_few():
    with pytest.raises(DataError, match="expected at least 2 clips to judge forms by, got 1"):
        split_clips(make_table(make_clip(Path("a.wav"))))


def test_patches_come_from_all_over_the_clips(tmp_path: Path):
    """82 patches of 40 s and 3 of 2 s are few enough; with 167 of 81 s, every other.

    The last patch of each is padded with silence, so it is left out.
    """
    lengths = {"a.wav": 40.0, "b.wav": 0.5, "c.wav": 2.0}
    clips = [make_clip(write_tone(tmp_path / name, seconds)) for name, seconds in lengths.items()]
    few = representative_patches(make_table(*clips), PARAMS)
    assert few.shape == (82 + 0 + 3, 96, 64)
    clips.append(make_clip(write_tone(tmp_path / "d.wav", 81.0)))
    many = representative_patches(make_table(*clips), PARAMS)
    assert len(many) == (85 + 167) / 2
    assert many.dtype == np.float32


def test_unreadable_clips_are_left_out_and_silence_stays_if_there_is_nothing_else(tmp_path: Path):
    (tmp_path / "text.wav").write_text("not audio")
    bad, good = make_clip(tmp_path / "text.wav"), make_clip(write_tone(tmp_path / "a.wav", 0.5))
    assert len(representative_patches(make_table(bad, good), PARAMS)) == 1
    with pytest.raises(DataError, match="expected clips that can be read, got none of 1"):
        representative_patches(make_table(bad), PARAMS)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, None),
        ({"accuracy_loss_points": 0.5, "average_precision_loss_points": 0.5}, None),
        ({"accuracy_loss_points": -3.0}, None),
        ({"accuracy_loss_points": None, "average_precision_loss_points": None}, None),
        ({"accuracy_loss_points": 0.75}, "loses 0.75 points of clip accuracy"),
        ({"average_precision_loss_points": 0.6}, "loses 0.60 points of macro average precision"),
        ({"golden_tolerance": 0.1}, None),
        ({"golden_tolerance": 0.5}, "a rounding error in the log-mel moves its scores by 0.25"),
    ],
)
def test_the_fault_of_a_form_that_is_not_offered(changes: dict[str, Any], fault: str | None):
    found = replace(INT8, **changes).fault
    assert (found or "").startswith(fault or "")
    assert (found is None) == (fault is None)


@pytest.mark.parametrize(
    ("float32", "form", "points"),
    [(1.0, 398 / 400, 0.5), (0.5, 0.75, -25.0), (None, 0.5, None), (0.5, None, None)],
)
def test_a_lost_point_is_a_hundredth(
    float32: float | None, form: float | None, points: float | None
):
    assert lost_points(float32, form) == points


def test_the_best_is_the_smallest_that_is_offered():
    bad = replace(INT8, accuracy_loss_points=8.0)
    assert smallest([FLOAT32, FLOAT16, INT8]) is INT8
    assert smallest([FLOAT32, FLOAT16, bad]) is FLOAT16
    assert choose_form([FLOAT32, FLOAT16, bad], "best") is FLOAT16
    assert smallest([FLOAT32, bad]) is FLOAT32


def test_a_named_form_is_chosen_or_refused_with_its_figures():
    bad = replace(INT8, accuracy=0.8, accuracy_loss_points=10.0)
    assert choose_form([FLOAT32, FLOAT16, bad], "float16") is FLOAT16
    with pytest.raises(QuantisationError) as caught:
        choose_form([FLOAT32, FLOAT16, bad], "int8")
    assert str(caught.value) == (
        "int8: 0.00 MB, 2.50 times as fast as float32, clip accuracy 80.0 %, macro average "
        "precision 95.0 %: loses 10.00 points of clip accuracy, at most 0.5 are allowed"
    )


class FakeMachine:
    """Models that take so many seconds a patch, on a machine that slows down with every call."""

    def __init__(self, *, slowdown: float = 1.0) -> None:
        self.now = 0.0
        self.batches: list[int] = []
        self._slowdown, self._pace = slowdown, 1.0

    def clock(self) -> float:
        return self.now

    def model(self, seconds: float):
        def infer(patches: NDArray[np.float32]) -> Outputs:
            self.batches.append(len(patches))
            self._pace *= self._slowdown
            self.now += seconds * len(patches) * self._pace
            return patches[:, 0], patches[:, 0]

        return infer


def speeds(machine: FakeMachine) -> dict[Form, float]:
    forms: dict[Form, float] = {"float32": 4.0, "float16": 5.0, "int8": 1.0}
    models = {form: machine.model(seconds) for form, seconds in forms.items()}
    return measure_speeds(models, PATCHES, machine.clock, rounds=10)


def test_a_form_that_takes_a_quarter_of_the_time_is_four_times_as_fast():
    machine = FakeMachine()
    assert speeds(machine) == {"float32": 1.0, "float16": 0.8, "int8": 4.0}
    assert set(machine.batches) == {16}


def test_alternating_rounds_cancel_a_machine_that_slows_down():
    """After two calls it is 21 % slower; alternating rounds put that on both sides of the ratio."""
    found = speeds(FakeMachine(slowdown=1.1))
    assert 3.9 < found["int8"] < 4.1
    assert 0.78 < found["float16"] < 0.82

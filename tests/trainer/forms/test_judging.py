"""Forms whose answers are known, on the same clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from listener.detection.bundle import GOLDEN_TOLERANCE
from tests.trainer.data.doubles import PARAMS, make_clip, make_table, write_tone
from trainer.errors import DataError
from trainer.forms.judging import golden_tolerance, judge_forms

Outputs = tuple[NDArray[np.float32], NDArray[np.float32]]


def by_level(patches: NDArray[np.float32]) -> Outputs:
    """`loud` for a tone of 0.5, `soft` for one of 0.001."""
    loud = (patches.max(axis=(1, 2)) > 0).astype(np.float32)
    return np.stack([0 * loud, loud, 1 - loud], axis=1), patches[:, 0]


def always_loud(patches: NDArray[np.float32]) -> Outputs:
    return np.tile(np.array([0.9, 0.6, 0.4], np.float32), (len(patches), 1)), patches[:, 0]


def test_each_form_is_judged_on_the_same_clips(tmp_path: Path):
    """Three loud, one soft: who calls all of them loud is right three times of four."""
    levels = {"a.wav": 0.5, "b.wav": 0.5, "c.wav": 0.001, "d.wav": 0.5}
    (tmp_path / "broken.wav").write_text("not audio")
    clips = [
        make_clip(write_tone(tmp_path / name, 1.0 + level, level=level), _label(level))
        for name, level in levels.items()
    ]
    table = make_table(*clips, make_clip(tmp_path / "broken.wav", "loud"))
    labels = ("other", "loud", "soft")
    found = judge_forms({"float32": by_level, "int8": always_loud}, table, labels, PARAMS)
    assert (found["float32"].accuracy, found["int8"].accuracy) == (1.0, 0.75)
    assert found["float32"].average_precision == 1.0
    assert found["int8"].average_precision == pytest.approx((0.75 + 0.25) / 2)
    assert found["int8"].clips == 4
    with pytest.raises(DataError, match="expected clips that can be read, got none of 1"):
        judge_forms({"float32": by_level}, make_table(table.clips[-1]), ["loud"], PARAMS)


def _label(level: float) -> str:
    return "loud" if level > 0.1 else "soft"


def steps_of(height: float):
    """Scores 0 or `height` by the sign of the first bin: rounding near 0 moves them all the way."""

    def infer(patches: NDArray[np.float32]) -> Outputs:
        return height * (patches[:, :1, 0] > 0).astype(np.float32), patches[:, 0]

    return infer


def smooth(patches: NDArray[np.float32]) -> Outputs:
    return patches.mean(axis=(1, 2))[:, None], patches[:, 0]


def test_scores_that_move_with_rounding_are_given_twice_what_they_moved():
    at_the_edge = np.zeros((4, 96, 64), np.float32)
    assert golden_tolerance(steps_of(0.2), at_the_edge) == pytest.approx(0.4)
    assert golden_tolerance(steps_of(0.2), at_the_edge + 1) == GOLDEN_TOLERANCE
    assert golden_tolerance(smooth, at_the_edge) == GOLDEN_TOLERANCE

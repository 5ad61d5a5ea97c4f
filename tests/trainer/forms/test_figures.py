"""A form is offered if it loses at most half a point, and `best` is the smallest of those."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from trainer.errors import FormError
from trainer.forms.figures import FormFigures, lost_points, smallest
from trainer.forms.shrink import choose_form

FLOAT32 = FormFigures("float32", 4_000, 1.0, 0.9, 0.95, 0.0, 0.0, 0.001)
FLOAT16 = replace(FLOAT32, form="float16", size_bytes=2_000)
INT8 = replace(FLOAT32, form="int8", size_bytes=1_000, speed=2.5, golden_tolerance=0.05)


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
def test_why_a_form_is_not_offered(changes: dict[str, Any], fault: str | None):
    found = replace(INT8, **changes).fault
    assert (found or "").startswith(fault or "")
    assert (found is None) == (fault is None)


@pytest.mark.parametrize(
    ("float32", "form", "points"),
    [(1.0, 398 / 400, 0.5), (0.5, 0.75, -25.0), (None, 0.5, None), (0.5, None, None)],
)
def test_points_are_hundredths(float32: float | None, form: float | None, points: float | None):
    assert lost_points(float32, form) == points


def test_the_best_is_the_smallest_that_is_offered():
    bad = replace(INT8, accuracy_loss_points=8.0)
    assert smallest([FLOAT32, FLOAT16, INT8]) is INT8
    assert smallest([FLOAT32, FLOAT16, bad]) is FLOAT16
    assert choose_form([FLOAT32, FLOAT16, bad], "best") is FLOAT16
    assert smallest([FLOAT32, bad]) is FLOAT32


def test_a_form_that_is_named_is_taken_or_refused_with_its_figures():
    bad = replace(INT8, accuracy=0.8, accuracy_loss_points=10.0)
    assert choose_form([FLOAT32, FLOAT16, bad], "float16") is FLOAT16
    with pytest.raises(FormError) as caught:
        choose_form([FLOAT32, FLOAT16, bad], "int8")
    assert str(caught.value) == (
        "int8: 0.00 MB, 2.50 times as fast as float32, clip accuracy 80.0 %, macro average "
        "precision 95.0 %: loses 10.00 points of clip accuracy, at most 0.5 are borne"
    )

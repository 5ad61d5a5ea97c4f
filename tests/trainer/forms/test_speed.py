"""Speeds by a clock that the models themselves move."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainer.config import Form
from trainer.forms.speed import measure_speeds

PATCHES = np.zeros((5, 96, 64), np.float32)


class Workshop:
    """Models that take so many seconds a patch, on a machine that grows slower with every call."""

    def __init__(self, *, slowing: float = 1.0) -> None:
        self.now = 0.0
        self.batches: list[int] = []
        self._slowing, self._pace = slowing, 1.0

    def clock(self) -> float:
        return self.now

    def model(self, seconds: float):
        def infer(patches: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            self.batches.append(len(patches))
            self._pace *= self._slowing
            self.now += seconds * len(patches) * self._pace
            return patches[:, 0], patches[:, 0]

        return infer


def speeds(workshop: Workshop) -> dict[Form, float]:
    forms: dict[Form, float] = {"float32": 4.0, "float16": 5.0, "int8": 1.0}
    models = {form: workshop.model(seconds) for form, seconds in forms.items()}
    return measure_speeds(models, PATCHES, workshop.clock, rounds=10)


def test_a_form_that_takes_a_quarter_of_the_time_is_four_times_as_fast():
    workshop = Workshop()
    assert speeds(workshop) == {"float32": 1.0, "float16": 0.8, "int8": 4.0}
    assert set(workshop.batches) == {16}


def test_turns_even_out_a_machine_that_grows_slower():
    """Two calls later it is 21 % slower; in turns that falls on both sides of the ratio."""
    found = speeds(Workshop(slowing=1.1))
    assert 3.9 < found["int8"] < 4.1
    assert 0.78 < found["float16"] < 0.82

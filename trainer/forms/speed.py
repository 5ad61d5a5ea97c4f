"""How fast forms are, measured in turns so that a busy machine slows all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import Infer
from trainer.config import Form

BATCH_PATCHES = 16
_ROUNDS = 40

Clock = Callable[[], float]


def measure_speeds(
    forms: Mapping[Form, Infer],
    patches: NDArray[np.float32],
    clock: Clock = time.process_time,
    rounds: int = _ROUNDS,
) -> dict[Form, float]:
    """How many times as fast as float32 each form is, on batches of 16 of the patches (n, 96, 64).

    The median over rounds of the ratio within a round. The clock is CPU time: with one thread that is
    the work, whoever else uses the machine.
    """
    batch = np.resize(patches, (BATCH_PATCHES, *patches.shape[1:]))
    for infer in forms.values():
        infer(batch)  # memory is allocated at the first
    seconds = [_round(forms, batch, clock, turn) for turn in range(rounds)]
    return {form: median(each["float32"] / each[form] for each in seconds) for form in forms}


def _round(
    forms: Mapping[Form, Infer], batch: NDArray[np.float32], clock: Clock, turn: int
) -> dict[Form, float]:
    """Seconds of each form, every other round in the opposite order."""
    order = list(forms)[:: -1 if turn % 2 else 1]
    seconds: dict[Form, float] = {}
    for form in order:
        began = clock()
        forms[form](batch)
        seconds[form] = clock() - began
    return seconds

"""Mean and deviation over batches are those over all."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.model.compression import compress
from trainer.model.moments import LEAST_DEVIATION, LEAST_SHARE, measure_moments


def test_batches_give_what_the_whole_gives():
    rows = np.random.default_rng(0).normal(3.0, 2.0, (100, 4)).astype(np.float32)
    moments = measure_moments(np.split(rows, [7, 50]))
    pressed = np.asarray(compress(rows))
    np.testing.assert_allclose(moments.mean, pressed.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(moments.deviation, pressed.std(axis=0), rtol=1e-4)
    assert moments.count == 100


def test_what_hardly_changes_is_not_blown_up():
    """Of 5 and 5, and of -1.2 and 1.2, which compress to -1 and 1: deviations of 0 and 1."""
    moments = measure_moments([np.array([[5.0, -1.2], [5.0, 1.2]], np.float32)])
    np.testing.assert_allclose(moments.deviation, [LEAST_SHARE * np.sqrt(0.5), 1.0], rtol=1e-5)


def test_where_nothing_changes_there_is_no_division_by_zero():
    moments = measure_moments([np.full((3, 2), 5.0, np.float32)])
    np.testing.assert_allclose(moments.deviation, LEAST_DEVIATION)


def test_nothing_has_no_moments():
    with pytest.raises(ValueError, match="expected at least one embedding, got none"):
        measure_moments([])

"""Square roots with their sign, gentle near zero."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.model.compression import compress


@pytest.mark.parametrize(
    ("value", "root"), [(0.0, 0.0), (1.2, 1.0), (-1.2, -1.0), (4.4, 2.0), (0.03, 0.1)]
)
def test_it_is_the_root_less_a_tenth_of_a_hundredth_more(value: float, root: float):
    """The root of 1.21 is 1.1, of 4.41 is 2.1, of 0.04 is 0.2."""
    assert float(compress(np.float32(value))) == pytest.approx(root, abs=1e-6)


def test_what_differs_by_rounding_stays_close():
    """Five times the difference at most, where a plain root would make 1e-3 of 1e-6."""
    near = np.asarray(compress(np.array([0.0, 1e-6, -1e-6], np.float32)))
    assert np.abs(near).max() <= 5.1e-6

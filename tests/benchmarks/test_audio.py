"""Windows of a waveform are cut as patches are."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.audio import cut_windows


@pytest.mark.parametrize(("samples", "windows"), [(15_600, 1), (23_279, 1), (23_280, 2)])
def test_a_window_begins_every_patch_hop(samples: int, windows: int):
    cut = cut_windows(np.arange(samples, dtype=np.float32))
    assert cut.shape == (windows, 15_600)
    assert [window[0] for window in cut] == [7680 * i for i in range(windows)]

"""Medians of whole files; test_tracks.py holds them to the daemon's smoother."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.evaluation.scored_file import ScoredFile, smooth_file


def test_each_column_has_its_own_median():
    column = np.array([0.0, 0.9, 0.0, 0.0], np.float32)
    file = ScoredFile("x", np.stack([column, column], axis=1), np.arange(5.0))
    smoothed = smooth_file(file, [1, 3]).scores
    assert smoothed.T.tolist() == [pytest.approx([0, 0.9, 0, 0]), [0, 0, 0, 0]]

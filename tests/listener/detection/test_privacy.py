"""People are heard where any private label passes its threshold."""

from __future__ import annotations

import numpy as np

from listener.detection.privacy import PrivateScores


def test_any_private_label_that_passes_its_threshold_is_heard():
    private = PrivateScores(np.array([0, 2]), np.array([0.5, 0.25], np.float32))
    scores = np.array(
        [[0.4, 0.9, 0.2], [0.5, 0.0, 0.0], [0.0, 0.0, 0.25], [0.6, 0.0, 0.6]], np.float32
    )
    assert private.heard(scores).tolist() == [False, True, True, True]


def test_without_private_labels_nobody_is_heard():
    nobody = PrivateScores(np.array([], np.intp), np.array([], np.float32))
    assert nobody.heard(np.ones((3, 4), np.float32)).tolist() == [False] * 3

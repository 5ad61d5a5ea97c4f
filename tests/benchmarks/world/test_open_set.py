"""Taught bundles on other sound: files are cut into clips of whole patches."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.world.open_set import cut
from trainer.evaluation.scored_file import ScoredFile


def scored(patches: int) -> ScoredFile:
    scores = np.arange(patches, dtype=np.float32)[:, None]
    return ScoredFile("file", scores, np.arange(patches + 1) / np.float64(4.0))


def test_a_clip_has_the_patches_that_lie_in_five_seconds():
    clips = list(cut(scored(60), window_seconds=1.0, hop_seconds=0.25))
    assert [each.scores[:, 0].tolist() for each in clips] == [
        list(range(17)),  # the last begins at 4 s and ends at 5 s
        list(range(20, 37)),
        list(range(40, 57)),
    ]
    assert clips[1].boundaries[0] == 0.0
    assert clips[1].boundaries[-1] == pytest.approx(17 * 0.25)


@pytest.mark.parametrize(("patches", "clips"), [(1, 1), (17, 1), (28, 1), (29, 2)])
def test_a_rest_under_half_a_clip_is_none_but_a_short_file_is_one(patches: int, clips: int):
    assert len(list(cut(scored(patches), window_seconds=1.0, hop_seconds=0.25))) == clips

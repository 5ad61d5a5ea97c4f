"""Folds are by recording, do not move, and refuse what would leak."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.trainer.data.doubles import make_clip, make_table
from trainer.data.folds import check_copies, check_folds, fold_of, shuffled_patch_folds
from trainer.errors import DataError


def test_a_fold_follows_from_the_group_alone():
    # the first 8 bytes of the groups' SHA-256, modulo 5: these stay for good
    assert [fold_of(group) for group in ("set/kitchen", "set/garden", "esc/172649")] == [5, 2, 5]


def test_every_fold_gets_its_share():
    folds = [fold_of(f"set/{number}") for number in range(1000)]
    assert min(folds.count(fold) for fold in range(1, 6)) > 160


def test_a_recording_in_two_folds_is_refused():
    table = make_table(
        make_clip(Path("a.wav"), group="kitchen", fold=1),
        make_clip(Path("b.wav"), group="kitchen", fold=3),
    )
    with pytest.raises(DataError, match=r"b.wav: expected recording kitchen in one fold.*\[1, 3\]"):
        check_folds(table)


def test_one_file_in_two_folds_is_refused():
    table = make_table(
        make_clip(Path("a.wav"), group="one", fold=1), make_clip(Path("a.wav"), group="two", fold=2)
    )
    with pytest.raises(DataError, match=r"expected clip .*a.wav in one fold"):
        check_folds(table)


def test_a_copy_in_another_fold_is_refused():
    first, copy = Path("a.wav"), Path("copy.wav")
    table = make_table(make_clip(first, fold=1), make_clip(copy, fold=2))
    with pytest.raises(DataError, match=r"copy.wav: .*copy a.wav in fold 1 and this one in fold 2"):
        check_copies(table, {first: "same", copy: "same"})


def test_a_copy_in_the_same_fold_is_harmless():
    first, copy = Path("a.wav"), Path("copy.wav")
    table = make_table(make_clip(first, fold=1), make_clip(copy, fold=1))
    check_folds(table)
    check_copies(table, {first: "same", copy: "same"})


def test_the_leaky_folds_tear_clips_apart():
    folds = shuffled_patch_folds([10] * 10, seed=0)
    assert [len(clip) for clip in folds] == [10] * 10
    assert np.bincount(np.concatenate(folds)).tolist() == [0, 20, 20, 20, 20, 20]
    assert all(len(set(clip.tolist())) > 1 for clip in folds)

"""Folds are by recording, do not change, and are refused if they would leak."""

from __future__ import annotations

from dataclasses import replace
from operator import ne
from pathlib import Path

import numpy as np
import pytest

from tests.trainer.data.doubles import make_clip, make_table
from trainer.data.clips import NOT_GIVEN, Clip, ClipTable
from trainer.data.folds import (
    check_copies,
    check_folds,
    fold_of,
    give_folds,
    hold_out_clips,
    shuffled_patch_folds,
)
from trainer.errors import DataError


def spread(**counts: int) -> dict[str, list[int]]:
    """How many recordings of each class are in folds 1 to 5."""
    clips = [
        make_clip(Path(f"{label}{number}.wav"), label, NOT_GIVEN)
        for label, count in counts.items()
        for number in range(count)
    ]
    table = give_folds(make_table(*clips), {})
    return {
        name: [clips_by_class(table.in_folds(fold))[name] for fold in range(1, 6)]
        for name in counts
    }


@pytest.mark.parametrize("count", [5, 6, 9, 10, 14, 31])
def test_every_fold_has_as_many_recordings_of_a_class(count: int):
    for counts in spread(dog=count, cat=count + 1).values():
        assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize(
    ("count", "folds"),
    [(1, [1, 0, 0, 0, 0]), (2, [1, 0, 0, 1, 0]), (3, [1, 0, 0, 1, 1]), (4, [1, 1, 0, 1, 1])],
)
def test_few_recordings_are_for_training_then_thresholds_then_the_report(
    count: int, folds: list[int]
):
    assert spread(dog=count, cat=10) == {"dog": folds, "cat": [2, 2, 2, 2, 2]}


def test_recordings_of_several_classes_are_spread_by_the_rarest():
    clips = [make_clip(Path(f"{n}.wav"), "dog", NOT_GIVEN) for n in range(20)]
    both = frozenset({"dog", "owl"})
    clips = [replace(clip, labels=both) if n % 4 == 0 else clip for n, clip in enumerate(clips)]
    table = give_folds(make_table(*clips), {})
    counts = [clips_by_class(table.in_folds(fold)) for fold in range(1, 6)]
    assert counts == [{"dog": 4, "owl": 1}] * 5


def test_a_recording_keeps_its_fold_and_its_clips_together():
    clips = [
        make_clip(Path(f"{n}.wav"), fold=NOT_GIVEN, group=f"recording {n // 3}") for n in range(18)
    ]
    clips[4] = replace(clips[4], fold=7)
    table = give_folds(make_table(*clips), {"recording 0": 2})
    check_folds(table)
    assert [clip.fold for clip in table.clips[:6]] == [2, 2, 2, 7, 7, 7]


def test_a_new_recording_moves_few_of_the_others():
    def folds(count: int) -> list[int]:
        clips = [make_clip(Path(f"{n}.wav"), fold=NOT_GIVEN) for n in range(count)]
        return [clip.fold for clip in give_folds(make_table(*clips), {}).clips]

    moved = [sum(map(ne, folds(count), folds(count + 1))) for count in range(10, 60)]
    assert sum(moved) <= 0.2 * sum(range(10, 60))


def test_a_fold_follows_from_the_group_alone():
    # the first 8 bytes of the groups' SHA-256, modulo 5: these stay for good
    assert [fold_of(group) for group in ("set/kitchen", "set/garden", "esc/172649")] == [5, 2, 5]


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


def test_leaky_folds_split_clips():
    folds = shuffled_patch_folds([10] * 10, seed=0)
    assert [len(clip) for clip in folds] == [10] * 10
    assert np.bincount(np.concatenate(folds)).tolist() == [0, 20, 20, 20, 20, 20]
    assert all(len(set(clip.tolist())) > 1 for clip in folds)


def recordings(label: str, count: int, fold: int = 1) -> list[Clip]:
    return [make_clip(Path(f"{label}{n}.wav"), label, fold) for n in range(count)]


def clips_by_class(table: ClipTable) -> dict[str, int]:
    return {name: sum(name in clip.labels for clip in table.clips) for name in table.classes}


def test_folds_that_are_left_out_are_held_out():
    table = make_table(*recordings("dog", 3, fold=1), *recordings("cat", 2, fold=2))
    train, held_out = hold_out_clips(table, (1,))
    assert {clip.fold for clip in train.clips} == {1}
    assert {clip.fold for clip in held_out.clips} == {2}


def test_one_recording_in_twenty_of_each_class_is_held_out():
    table = make_table(*recordings("dog", 41), *recordings("cat", 10), *recordings("owl", 9))
    train, held_out = hold_out_clips(table, (1,))
    assert clips_by_class(held_out) == {
        "cat": 1,
        "dog": 3,
        "owl": 0,
    }  # 41 / 20 and 10 / 20 rounded up
    assert len(train.clips) + len(held_out.clips) == 60
    assert not set(train.clips) & set(held_out.clips)


def test_all_clips_of_a_recording_stay_together():
    clips = [make_clip(Path(f"{n}.wav"), "dog", group=f"recording {n % 10}") for n in range(30)]
    train, held_out = hold_out_clips(make_table(*clips), (1,))
    assert len(held_out.clips) == 3
    assert not {clip.group for clip in train.clips} & {clip.group for clip in held_out.clips}


def test_the_order_of_the_clips_does_not_matter():
    clips = recordings("dog", 20)
    first, second = (hold_out_clips(make_table(*each), (1,))[1] for each in (clips, clips[::-1]))
    assert set(first.clips) == set(second.clips)

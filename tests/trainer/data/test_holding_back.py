"""What is never learnt from: other folds, else a twentieth of each class's recordings."""

from __future__ import annotations

from pathlib import Path

from tests.trainer.data.doubles import make_clip, make_table
from trainer.data.clips import Clip, ClipTable
from trainer.data.holding_back import hold_back


def recordings(label: str, count: int, fold: int = 1) -> list[Clip]:
    return [make_clip(Path(f"{label}{n}.wav"), label, fold) for n in range(count)]


def held_by_class(table: ClipTable) -> dict[str, int]:
    return {name: sum(name in clip.labels for clip in table.clips) for name in table.classes}


def test_folds_that_are_left_out_are_held_back():
    table = make_table(*recordings("dog", 3, fold=1), *recordings("cat", 2, fold=2))
    learnt, held = hold_back(table, (1,))
    assert {clip.fold for clip in learnt.clips} == {1}
    assert {clip.fold for clip in held.clips} == {2}


def test_one_recording_in_twenty_of_each_class_is_held_back():
    table = make_table(*recordings("dog", 41), *recordings("cat", 10), *recordings("owl", 9))
    learnt, held = hold_back(table, (1,))
    assert held_by_class(held) == {"cat": 1, "dog": 3, "owl": 0}  # 41 / 20 and 10 / 20 rounded up
    assert len(learnt.clips) + len(held.clips) == 60
    assert not set(learnt.clips) & set(held.clips)


def test_all_clips_of_a_recording_stay_together():
    clips = [make_clip(Path(f"{n}.wav"), "dog", group=f"recording {n % 10}") for n in range(30)]
    learnt, held = hold_back(make_table(*clips), (1,))
    assert len(held.clips) == 3
    assert not {clip.group for clip in learnt.clips} & {clip.group for clip in held.clips}


def test_the_order_of_the_clips_does_not_matter():
    clips = recordings("dog", 20)
    first, second = (hold_back(make_table(*each), (1,))[1] for each in (clips, clips[::-1]))
    assert set(first.clips) == set(second.clips)

"""What a fit says of its data before it begins, which folds it uses, and how its figure is named."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from tests.trainer.data.doubles import make_clip, make_table, write_tone
from trainer.data.clips import BACKGROUND, Clip
from trainer.data.formats import read_clips
from trainer.errors import FitError
from trainer.training import fit_data


def clips_of(label: str, *folds: int) -> list[Clip]:
    return [make_clip(Path(f"{label}{n}.wav"), label, fold) for n, fold in enumerate(folds)]


def test_the_table_counts_clips_recordings_seconds_and_folds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    names = "alarm/a_part1.wav", "alarm/a_part2.wav", "alarm/b.ogg", "noise/hall.flac"
    for number, name in enumerate(names, start=1):
        write_tone(tmp_path / "set" / name, seconds=1.5 * number)
    (tmp_path / "set" / "alarm" / "c.wav").write_bytes(b"no audio")
    fit_data.show_classes(read_clips([tmp_path / "set"]))
    rows = [" ".join(line.split()) for line in capsys.readouterr().err.splitlines()]
    assert "class clips recordings seconds fold 1 fold 4 fold 5" in rows
    assert "alarm 4 3 at least 9 1 1 1" in rows
    assert "background 1 1 6 1 0 0" in rows
    assert "all 5 4 at least 15 2 1 1" in rows


def test_numbers_that_count_takes_are_pointed_out(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    for number in range(5):
        write_tone(tmp_path / "set" / "alarm" / f"alarm_small_{number}.wav", 0.5 + 0.1 * number)
    write_tone(tmp_path / "set" / "alarm" / "kitchen_1.wav")
    fit_data.show_classes(read_clips([tmp_path / "set"]))
    assert caplog.messages[-1].startswith("5 files differ only in the number that their name ends")


def test_a_table_of_recordings_needs_no_hint(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    rows = ["filename,category,recording"]
    for number in range(5):
        write_tone(tmp_path / "set" / f"dog_{number}.wav", 0.5 + 0.1 * number)
        rows.append(f"dog_{number}.wav,dog,day {number}")
    (tmp_path / "set" / "clips.csv").write_text("\n".join(rows))
    fit_data.show_classes(read_clips([tmp_path / "set"]))
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("dogs", "cats", "wanted", "chosen"),
    [
        ((1, 2, 3, 4, 5), (1, 2, 3, 4, 5), (), ((1, 2, 3, 4, 5), 5)),
        ((1, 2, 3, 4, 5), (1, 2, 3, 4, 5), (3, 1), ((3, 1), 1)),
        ((1, 2, 3, 4, 5), (1, 4, 4), (), ((1, 2, 3, 4, 5), 4)),  # 5 lacks a class
        ((1, 2, 3, 4, 5), (1,), (), ((1, 2, 3, 4, 5), 5)),  # 1 holds the only cat
        ((1, 4, 5), (1, 4, 5), (1, 2, 3), ((1,), None)),  # 2 and 3 are empty
        ((1,), (4,), (), ((1, 4), None)),
    ],
)
def test_validation_is_by_a_fold_that_can_be_spared_and_holds_most_classes(
    dogs: tuple[int, ...],
    cats: tuple[int, ...],
    wanted: tuple[int, ...],
    chosen: tuple[tuple[int, ...], int | None],
):
    table = make_table(*clips_of("dog", *dogs), *clips_of("cat", *cats))
    assert fit_data.choose_folds(table, wanted, None) == chosen


def test_no_clips_at_all_in_the_wanted_folds_is_refused():
    table = make_table(*clips_of("dog", 1, 4))
    with pytest.raises(FitError, match=r"folds: expected some of \[1, 4\], got \[2, 3\]"):
        fit_data.choose_folds(table, (2, 3), None)


def test_a_class_that_the_folds_lack_is_named(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    clips = *clips_of("dog", 1, 2, 3), *clips_of("cat", 1, 2), *clips_of("owl", 4, 5)
    table = make_table(*clips)
    fit_data.show_folds(table, table.in_folds(1, 2, 3), (1, 2, 3), 3)
    assert caplog.messages == [
        "training on folds 1, 2 and 3, 5 of 7 clips; fold 3 decides when to stop",
        "class owl: no clip in folds 1, 2 and 3, so nothing is learnt of it",
        "class cat: no clip in fold 3, which decides when to stop",
    ]


def test_a_validation_figure_says_what_it_is_of():
    clips = [
        replace(clip, group=f"recording {number // 2}")
        for number, clip in enumerate(clips_of("dog", 4, 4, 4, 4))
    ]
    clips += clips_of(BACKGROUND, 3)
    named = fit_data.name_validation(clips, 0.75, "network")
    assert named == (
        "network: accuracy 75.0 % of 5 clips, 1 of them background, of folds 3, 4, from 3 recordings; "
        "none was trained on until then, but they chose the head"
    )
    assert fit_data.name_validation([], None, "network") == (
        "none, as no fold was kept from training"
    )

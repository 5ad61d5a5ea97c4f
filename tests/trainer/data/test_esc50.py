"""ESC-50's CSV: official folds, classes in the order of target."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainer.data.doubles import write_tone
from trainer.data.background import BACKGROUND
from trainer.data.formats import read_clips
from trainer.errors import DataError

HEADER = "filename,fold,target,category\n"


def write_set(folder: Path, rows: str, *names: str) -> Path:
    for name in names:
        write_tone(folder / "audio" / name)
    meta = folder / "meta" / "esc50.csv"
    meta.parent.mkdir(parents=True)
    meta.write_text(HEADER + rows, encoding="utf-8")
    return folder


def test_official_folds_and_targets_are_kept(tmp_path: Path):
    folder = write_set(
        tmp_path / "set",
        "1-100-A-1.wav,1,1,rooster\n4-200-A-0.wav,4,0,dog\n",
        "1-100-A-1.wav",
        "4-200-A-0.wav",
    )
    table = read_clips([folder])
    assert table.classes == ("dog", "rooster")
    assert [(clip.fold, clip.group) for clip in table.clips] == [(1, "esc/100"), (4, "esc/200")]
    assert [clip.labels for clip in table.clips] == [{"rooster"}, {"dog"}]
    assert all(clip.exhaustive for clip in table.clips)
    assert table.clips[0].path.samefile(folder / "audio" / "1-100-A-1.wav")


def test_the_csv_itself_may_be_named(tmp_path: Path):
    folder = write_set(tmp_path / "set", "a.wav,2,0,dog\n", "a.wav")
    assert len(read_clips([folder / "meta" / "esc50.csv"]).clips) == 1


def test_rows_of_one_file_are_labels_of_one_clip(tmp_path: Path):
    folder = write_set(tmp_path / "set", "a.wav,2,0,dog\na.wav,2,1,rain\n", "a.wav")
    assert [clip.labels for clip in read_clips([folder]).clips] == [{"dog", "rain"}]


def test_a_file_in_two_folds_is_refused(tmp_path: Path):
    folder = write_set(tmp_path / "set", "a.wav,2,0,dog\na.wav,3,0,dog\n", "a.wav")
    with pytest.raises(DataError, match=r"in one fold, found it in folds \[2, 3\]"):
        read_clips([folder])


def test_a_missing_file_is_quarantined(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    folder = write_set(tmp_path / "set", "a.wav,1,0,dog\ngone.wav,1,0,dog\n", "a.wav")
    table = read_clips([folder])
    assert [clip.path.name for clip in table.clips] == ["a.wav"]
    assert [(left.path.name, left.reason) for left in table.quarantined] == [
        ("gone.wav", "expected a file, found none")
    ]
    assert "quarantined" in caplog.text
    assert "gone.wav" in caplog.text


def test_a_class_without_clips_is_refused(tmp_path: Path):
    folder = write_set(tmp_path / "set", "a.wav,1,0,dog\ngone.wav,1,1,rain\n", "a.wav")
    with pytest.raises(DataError, match=r"class rain: expected at least one clip.*1 were quarant"):
        read_clips([folder])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.wav,first,0,dog\n", "esc50.csv:2: fold: expected a whole number, got 'first'"),
        ("a.wav,1,0,\n", "esc50.csv:2: category: expected the name of a class"),
        (",1,0,dog\n", "esc50.csv:2: filename: expected the name of a file"),
        ("a.wav,1,0,...\n", "expected at least one of a-z"),
    ],
)
def test_a_malformed_row_is_refused(tmp_path: Path, row: str, message: str):
    folder = write_set(tmp_path / "set", row, "a.wav")
    with pytest.raises(DataError, match=message):
        read_clips([folder])


def test_background_is_the_last_class(tmp_path: Path):
    rows = "a.wav,1,0,ambient\nb.wav,1,1,rain\n"
    table = read_clips([write_set(tmp_path / "set", rows, "a.wav", "b.wav")])
    assert table.classes == ("rain", BACKGROUND)
    assert table.clips[0].labels == {BACKGROUND}


def test_the_real_esc10(shared: Path):
    table = read_clips([shared / "data" / "esc10"])
    assert len(table.clips) == 400
    assert len(table.classes) == 10
    assert table.classes[:2] == ("dog", "rooster")
    assert [len(table.in_folds(fold).clips) for fold in range(1, 6)] == [80] * 5

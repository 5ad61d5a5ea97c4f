"""Tables of spans in every spelling, and Audacity's label tracks."""

from __future__ import annotations

from pathlib import Path

import pytest

from listener.detection.clip import LabelSpan
from tests.trainer.data.doubles import write_tone
from trainer.data.clips import BACKGROUND
from trainer.data.formats import read_clips
from trainer.errors import DataError

BARK, MEOW = LabelSpan("bark", 0.1, 0.5), LabelSpan("meow", 0.6, 0.9)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("spans.csv", "filename,onset,offset,label\na.wav,0.1,0.5,bark\na.wav,0.6,0.9,meow\n"),
        (
            "spans.tsv",
            "filename\tonset\toffset\tevent_label\na.wav\t0.1\t0.5\tbark\na.wav\t0.6\t0.9\tmeow\n",
        ),
        ("spans.txt", "a.wav\t0.1\t0.5\tbark\na.wav\t0.6\t0.9\tmeow\n"),
    ],
)
def test_every_spelling_gives_the_same_clip(tmp_path: Path, name: str, text: str):
    write_tone(tmp_path / "audio" / "a.wav")
    (tmp_path / name).write_text(text, encoding="utf-8")
    table = read_clips([tmp_path / name])
    assert table.classes == ("bark", "meow")
    assert [clip.spans for clip in table.clips] == [(BARK, MEOW)]


def test_a_folder_with_one_table_may_be_named(tmp_path: Path):
    write_tone(tmp_path / "a.wav")
    (tmp_path / "spans.csv").write_text("filename,onset,offset,label\na.wav,0.1,0.5,bark\n")
    assert read_clips([tmp_path]).clips[0].spans == (BARK,)


def test_two_tables_in_a_folder_are_ambiguous(tmp_path: Path):
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text("filename,onset,offset,label\na.wav,0.1,0.5,bark\n")
    with pytest.raises(DataError, match=r"found one.csv, two.csv: name the one"):
        read_clips([tmp_path])


def test_a_file_without_spans_is_background(tmp_path: Path):
    for name in ("a.wav", "b.wav"):
        write_tone(tmp_path / name)
    rows = "filename\tonset\toffset\tevent_label\na.wav\t0.1\t0.5\tbark\nb.wav\t\t\t\n"
    (tmp_path / "spans.tsv").write_text(rows)
    table = read_clips([tmp_path])
    assert [clip.labels for clip in table.clips] == [{"bark"}, {BACKGROUND}]


def test_a_given_fold_is_kept(tmp_path: Path):
    write_tone(tmp_path / "a.wav")
    (tmp_path / "s.csv").write_text("filename,onset,offset,label,fold\na.wav,0.1,0.5,bark,4\n")
    assert read_clips([tmp_path]).clips[0].fold == 4


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a.wav,x,0.5,bark,1\n", "s.csv:2: onset: expected a number, got 'x'"),
        ("a.wav,0.5,0.1,bark,1\n", "s.csv:2: expected 0 <= onset < offset"),
        ("a.wav,0.1,0.5,,1\n", "s.csv:2: label: expected the name of a class"),
        (",0.1,0.5,bark,1\n", "s.csv:2: filename: expected the name of a file"),
        ("a.wav,0.1,0.5,bark,x\n", "s.csv:2: fold: expected a whole number"),
        (
            "a.wav,0.1,0.5,bark,1\na.wav,0.6,0.7,bark,2\n",
            "s.csv:3: a.wav: expected the fold of its",
        ),
    ],
)
def test_a_malformed_row_is_refused(tmp_path: Path, rows: str, message: str):
    write_tone(tmp_path / "a.wav")
    (tmp_path / "s.csv").write_text("filename,onset,offset,label,fold\n" + rows)
    with pytest.raises(DataError, match=message):
        read_clips([tmp_path])


def write_track(folder: Path, name: str, text: str) -> None:
    write_tone(folder / f"{name}.wav")
    (folder / f"{name}.txt").write_text(text, encoding="utf-8")


def test_spans_are_read_and_frequencies_are_not(tmp_path: Path):
    write_track(tmp_path, "a", "0.100000\t0.500000\tbark\n\\\t100.0\t900.0\n0,6\t0,9\tmeow\n\n")
    clip = read_clips([tmp_path]).clips[0]
    assert clip.labels == {"bark", "meow"}
    assert clip.spans == (LabelSpan("bark", 0.1, 0.5), LabelSpan("meow", 0.6, 0.9))
    assert clip.exhaustive


def test_an_empty_track_means_background(tmp_path: Path):
    write_track(tmp_path, "a", "0.1\t0.5\tbark\n")
    write_track(tmp_path, "b", "")
    write_track(tmp_path, "c", "0.0\t1.0\tbackground\n")
    table = read_clips([tmp_path])
    assert table.classes == ("bark", BACKGROUND)
    assert [clip.labels for clip in table.clips] == [{"bark"}, {BACKGROUND}, {BACKGROUND}]
    assert table.clips[2].spans == ()


def test_audio_without_a_track_is_quarantined(tmp_path: Path):
    write_track(tmp_path, "a", "0.1\t0.5\tbark\n")
    write_tone(tmp_path / "b.wav")
    table = read_clips([tmp_path])
    assert [left.path.name for left in table.quarantined] == ["b.wav"]
    assert table.quarantined[0].reason == "expected a label track b.txt beside it, found none"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.1\tend\tbark\n", "a.txt:1: offset: expected a number, got 'end'"),
        ("0.1\t0.5\tbark\n0.5\t0.5\tpoint\n", "a.txt:2: expected 0 <= onset < offset, got 0.5 and"),
        ("-1\t0.5\tbark\n", "a.txt:1: expected 0 <= onset < offset, got -1 and 0.5"),
        ("0.1\t0.5\n", "a.txt:1: label: expected the name of a class"),
    ],
)
def test_a_track_with_a_wrong_line_is_set_aside(tmp_path: Path, text: str, message: str):
    write_track(tmp_path, "a", text)
    write_track(tmp_path, "b", "0.1\t0.5\tbark\n")
    table = read_clips([tmp_path])
    assert [clip.path.name for clip in table.clips] == ["b.wav"]
    (left_out,) = table.quarantined
    assert left_out.path.name == "a.wav"
    assert message in left_out.reason


def test_a_track_that_is_not_text_is_set_aside(tmp_path: Path):
    write_track(tmp_path, "a", "")
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\xff")
    write_track(tmp_path, "b", "0.1\t0.5\tbark\n")
    (left_out,) = read_clips([tmp_path]).quarantined
    assert "a.txt: expected text in UTF-8" in left_out.reason


def test_nothing_but_wrong_tracks_is_refused(tmp_path: Path):
    write_track(tmp_path, "a", "0.1\tend\tbark\n")
    with pytest.raises(DataError, match="expected clips, found none; 1 were quarantined"):
        read_clips([tmp_path])


def test_semicolons_and_decimal_commas_are_read(tmp_path: Path):
    write_tone(tmp_path / "a.wav")
    (tmp_path / "spans.csv").write_text("filename;onset;offset;label\na.wav;0,1;0,5;bark\n")
    (clip,) = read_clips([tmp_path]).clips
    assert clip.spans == (LabelSpan("bark", 0.1, 0.5),)

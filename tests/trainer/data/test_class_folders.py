"""A folder per class."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainer.data.doubles import write_tone
from trainer.data.background import BACKGROUND
from trainer.data.folds import fold_of
from trainer.data.formats import read_clips
from trainer.errors import DataError


def test_the_folder_is_the_class_and_the_name_the_recording(tmp_path: Path):
    for name in ("dog/park_1.wav", "dog/park_2.wav", "dog/deep/inside.flac", "cat/x.wav"):
        write_tone(tmp_path / "set" / name)
    table = read_clips([tmp_path / "set"])
    assert table.classes == ("cat", "dog")
    by_name = {clip.path.name: clip for clip in table.clips}
    assert by_name["park_1.wav"].group == by_name["park_2.wav"].group == "set/park"
    assert by_name["park_1.wav"].fold == by_name["park_2.wav"].fold == fold_of("set/park")
    assert by_name["inside.flac"].labels == {"dog"}


def test_clips_that_are_added_move_no_other(tmp_path: Path):
    for name in ("dog/a.wav", "dog/b.wav", "cat/c.wav"):
        write_tone(tmp_path / "set" / name)
    before = {clip.path: clip.fold for clip in read_clips([tmp_path / "set"]).clips}
    for number in range(5):
        write_tone(tmp_path / "set" / "dog" / f"0{number}.wav")
    after = {clip.path: clip.fold for clip in read_clips([tmp_path / "set"]).clips}
    assert len(after) == 8
    assert {path: after[path] for path in before} == before


@pytest.mark.parametrize("name", ["background", "_background_", "Ambient", "noise"])
def test_background_has_its_names(tmp_path: Path, name: str):
    write_tone(tmp_path / "set" / name / "a.wav")
    write_tone(tmp_path / "set" / "dog" / "b.wav")
    assert read_clips([tmp_path / "set"]).classes == ("dog", BACKGROUND)


def test_a_lone_folder_of_background_is_a_data_set(tmp_path: Path):
    write_tone(tmp_path / "ambient" / "a.wav")
    assert read_clips([tmp_path / "ambient"]).clips[0].labels == {BACKGROUND}


def test_an_empty_class_is_refused(tmp_path: Path):
    write_tone(tmp_path / "set" / "dog" / "a.wav")
    (tmp_path / "set" / "cat").mkdir()
    with pytest.raises(DataError, match="expected audio of class 'cat', found none"):
        read_clips([tmp_path / "set"])


def test_hidden_files_and_other_files_are_no_audio(tmp_path: Path):
    write_tone(tmp_path / "set" / "dog" / "a.wav")
    write_tone(tmp_path / "set" / "dog" / ".hidden.wav")
    write_tone(tmp_path / "set" / ".trash" / "b.wav")
    (tmp_path / "set" / "dog" / "notes.md").write_text("woof")
    assert [clip.path.name for clip in read_clips([tmp_path / "set"]).clips] == ["a.wav"]


def test_a_class_of_one_recording_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    write_tone(tmp_path / "set" / "dog" / "park_1.wav")
    write_tone(tmp_path / "set" / "dog" / "park_2.wav")
    read_clips([tmp_path / "set"])
    assert "class dog: all 2 clips are of recording set/park" in caplog.text

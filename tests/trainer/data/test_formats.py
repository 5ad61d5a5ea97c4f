"""Any form, and several at once, become one table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainer.data.doubles import write_tone
from trainer.data.background import BACKGROUND, without_background
from trainer.data.formats import read_clips
from trainer.errors import DataError


@pytest.fixture
def mixed(tmp_path: Path) -> list[Path]:
    """A folder per class, ESC-50's form and a table of spans."""
    for name in ("folders/Dog/a.wav", "folders/noise/b.wav", "esc/audio/c.wav", "spans/d.wav"):
        write_tone(tmp_path / name)
    (tmp_path / "esc" / "e.csv").write_text("filename,fold,category\nc.wav,3,rain\n")
    (tmp_path / "spans" / "s.csv").write_text("filename,onset,offset,label\nd.wav,0,0.5,dog\n")
    return [tmp_path / "folders", tmp_path / "esc", tmp_path / "spans"]


def test_several_data_sets_are_one_table(mixed: list[Path]):
    table = read_clips(mixed)
    assert table.classes == ("Dog", "rain", BACKGROUND)
    assert [clip.path.name for clip in table.clips] == ["a.wav", "b.wav", "c.wav", "d.wav"]
    # the slugs of Dog and dog are one, so the class is one
    assert table.clips[3].labels == {"Dog"}
    assert table.clips[3].spans[0].label == "Dog"


def test_given_classes_keep_their_order(mixed: list[Path]):
    assert read_clips(mixed, ["rain", "background", "dog"]).classes == ("rain", "background", "dog")
    assert read_clips(mixed, ["rain", "dog", "cat"]).classes == ("rain", "dog", "cat", BACKGROUND)


def test_a_label_outside_the_given_classes_is_refused(mixed: list[Path]):
    with pytest.raises(DataError, match=r"c.wav: label 'rain': expected one of dog, background"):
        read_clips(mixed, ["dog"])


def test_background_can_be_no_class(mixed: list[Path]):
    table = without_background(read_clips(mixed))
    assert table.classes == ("Dog", "rain")
    assert table.clips[1].labels == set()


def test_what_is_no_data_set_is_refused(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "other.csv").write_text("name,size\na,1\n")
    (tmp_path / "none.csv").write_text("")
    for name in ("empty", "other.csv", "none.csv"):
        with pytest.raises(DataError, match=rf"{name}: expected a CSV with filename, fold"):
            read_clips([tmp_path / name])
    with pytest.raises(DataError, match="gone: expected a file or folder, found nothing"):
        read_clips([tmp_path / "gone"])
    with pytest.raises(DataError, match="expected at least one data set"):
        read_clips([])


def test_a_data_set_of_missing_files_is_refused(tmp_path: Path):
    (tmp_path / "e.csv").write_text("filename,fold,category\ngone.wav,3,rain\n")
    with pytest.raises(DataError, match="expected clips, found none; 1 were quarantined"):
        read_clips([tmp_path])


def test_a_set_is_named_after_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """And so the folds are the same wherever it lies and however it is named."""
    write_tone(tmp_path / "mine" / "audio" / "kitchen_1.wav")
    (tmp_path / "mine" / "meta").mkdir()
    (tmp_path / "mine" / "meta" / "s.csv").write_text(
        "filename,onset,offset,label\nkitchen_1.wav,0,0.5,dog\n"
    )
    monkeypatch.chdir(tmp_path / "mine")
    for path in (Path(), Path("meta/s.csv"), tmp_path / "mine"):
        assert read_clips([path]).clips[0].group == "mine/kitchen"

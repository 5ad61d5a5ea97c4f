"""Data sets of any form, and several at once, become one table."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.trainer.data.doubles import write_tone
from trainer.data.clips import BACKGROUND, without_background
from trainer.data.formats import read_clips
from trainer.errors import DataError

HEADER = "filename,fold,target,category\n"


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


def test_background_can_be_removed_from_the_classes(mixed: list[Path]):
    table = without_background(read_clips(mixed))
    assert table.classes == ("Dog", "rain")
    assert table.clips[1].labels == set()


def test_other_paths_are_refused(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "other.csv").write_text("name,size\na,1\n")
    (tmp_path / "none.csv").write_text("")
    for name in ("empty", "other.csv", "none.csv"):
        with pytest.raises(DataError, match=rf"{name}: expected a CSV with filename, category"):
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
    """So the folds do not depend on where it is and how its path is written."""
    write_tone(tmp_path / "mine" / "audio" / "kitchen_1.wav")
    (tmp_path / "mine" / "meta").mkdir()
    (tmp_path / "mine" / "meta" / "s.csv").write_text(
        "filename,onset,offset,label\nkitchen_1.wav,0,0.5,dog\n"
    )
    monkeypatch.chdir(tmp_path / "mine")
    for path in (Path(), Path("meta/s.csv"), tmp_path / "mine"):
        assert read_clips([path]).clips[0].group == "mine/kitchen_1"


def write_tones(folder: Path, *names: str) -> Path:
    """Files that differ in their length."""
    for number, name in enumerate(names):
        write_tone(folder / name, seconds=0.5 + 0.001 * number)
    return folder


def test_the_folder_is_the_class_and_each_file_a_recording(tmp_path: Path):
    names = "dog/park_1.wav", "dog/park_2.wav", "dog/deep/a.flac", "cat/deep/a.flac"
    table = read_clips([write_tones(tmp_path / "set", *names)])
    assert table.classes == ("cat", "dog")
    assert {clip.group for clip in table.clips} == {
        f"set/{name.rpartition('.')[0]}" for name in names
    }
    assert [clip.labels for clip in table.clips if clip.path.parent.name == "deep"] == [
        {"cat"},
        {"dog"},
    ]


def test_a_table_beside_the_folders_says_which_files_are_one_recording(tmp_path: Path):
    names = [f"dog/dog_{number}.wav" for number in range(6)]
    folder = write_tones(tmp_path / "set", *names)
    rows = [f"{name},dog,{'monday' if number < 3 else ''}" for number, name in enumerate(names)]
    (folder / "clips.csv").write_text("\n".join(["filename,category,recording", *rows]))
    table = read_clips([folder])
    assert [clip.group for clip in table.clips] == ["set/monday"] * 3 + [
        f"set/dog/dog_{number}" for number in (3, 4, 5)
    ]
    assert len({clip.fold for clip in table.clips[:3]}) == 1
    assert len({clip.fold for clip in table.clips}) == 4


def test_copies_are_of_one_recording(tmp_path: Path):
    for name in ("dog/a.wav", "dog/a (1).wav", "dog/b_part1.wav"):
        write_tone(tmp_path / "set" / name, seconds=0.5)
    for name in ("dog/b_part2.wav", "dog/c.wav"):
        write_tone(tmp_path / "set" / name, seconds=0.6)
    write_tone(tmp_path / "set" / "dog" / "d.wav", seconds=0.6, level=0.4)  # as long, not a copy
    table = read_clips([tmp_path / "set"])
    groups = {clip.path.stem: clip.group for clip in table.clips}
    assert groups.pop("d") == "set/dog/d"
    assert len(groups) == 5
    assert len(set(groups.values())) == 1


def test_a_recording_in_two_data_sets_has_the_fold_that_one_names(tmp_path: Path):
    name = "1-100-A-1.wav"
    write_tone(tmp_path / "mine" / "rooster" / name)
    official = write_esc50(tmp_path / "set", f"{name},4,1,rooster\n", name)
    for paths in ([tmp_path / "mine", official], [official, tmp_path / "mine"]):
        assert [clip.fold for clip in read_clips(paths).clips] == [4, 4]


def test_the_folds_of_a_data_set_do_not_depend_on_others(tmp_path: Path):
    first = write_tones(tmp_path / "first", *(f"dog/a{number}.wav" for number in range(7)))
    second = write_tones(tmp_path / "second", *(f"dog/b{number}.wav" for number in range(8)))
    alone = {clip for path in (first, second) for clip in read_clips([path]).clips}
    assert set(read_clips([first, second]).clips) == alone


def test_a_class_that_a_fold_has_none_of_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    dogs = [f"dog/{number}.wav" for number in range(5)]
    alarms = [f"alarm/{number}.wav" for number in range(3)]
    read_clips([write_tones(tmp_path / "set", *dogs, *alarms)])
    assert [record.message for record in caplog.records] == [
        "class alarm: no clip in folds 2 and 3; it has 3 recordings, 5 are enough for every fold"
    ]


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


def test_hidden_files_and_other_files_are_ignored(tmp_path: Path):
    write_tone(tmp_path / "set" / "dog" / "a.wav")
    write_tone(tmp_path / "set" / "dog" / ".hidden.wav")
    write_tone(tmp_path / "set" / ".trash" / "b.wav")
    (tmp_path / "set" / "dog" / "notes.md").write_text("woof")
    assert [clip.path.name for clip in read_clips([tmp_path / "set"]).clips] == ["a.wav"]


def test_a_class_of_one_recording_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    read_clips([write_tones(tmp_path / "set", "dog/park_part1.wav", "dog/park_part2.wav")])
    assert "class dog: all 2 clips are of recording set/dog/park" in caplog.text


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            ("train/dog/a.wav", "val/dog/b.wav"),
            "train, val, which are parts of a data set: name each",
        ),
        (("Test/dog/a.wav",), "Test, which are parts of a data set: name each, --data"),
        (("audio/a.wav", "audio/b.wav"), "found audio alone, and no table that says what is heard"),
    ],
)
def test_folders_that_are_no_classes_are_refused(
    tmp_path: Path, files: tuple[str, ...], message: str
):
    with pytest.raises(DataError, match=message):
        read_clips([write_tones(tmp_path / "set", *files)])


def test_a_class_may_be_called_like_a_part(tmp_path: Path):
    table = read_clips([write_tones(tmp_path / "set", "test/a.wav", "dog/b.wav")])
    assert table.classes == ("dog", "test")


def test_parts_that_are_named_one_by_one_are_read(tmp_path: Path):
    folder = write_tones(tmp_path / "set", "train/dog/a.wav", "val/dog/b.wav")
    table = read_clips([folder / "train", folder / "val"])
    assert table.classes == ("dog",)
    assert len(table.clips) == 2


def test_a_table_that_is_not_understood_is_not_ignored(tmp_path: Path):
    folder = write_tones(tmp_path / "set", "dog/a.wav", "cat/b.wav")
    (folder / "labels.csv").write_text("file,class\na.wav,dog\n")
    with pytest.raises(
        DataError, match=r"labels\.csv: expected columns .*, found class, file; move"
    ):
        read_clips([folder])


def test_names_in_any_script_stay_distinct(tmp_path: Path):
    names = ["собака 2", "кошка 2", "犬A", "猫A", "C+", "C#"]
    folder = write_tones(tmp_path / "set", *(f"{name}/a{n}.wav" for n, name in enumerate(names)))
    assert set(read_clips([folder]).classes) == set(names)


def write_esc50(folder: Path, rows: str, *names: str) -> Path:
    for name in names:
        write_tone(folder / "audio" / name)
    meta = folder / "meta" / "esc50.csv"
    meta.parent.mkdir(parents=True)
    meta.write_text(HEADER + rows, encoding="utf-8")
    return folder


def test_official_folds_and_targets_are_kept(tmp_path: Path):
    folder = write_esc50(
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


def test_a_table_with_semicolons_is_read(tmp_path: Path):
    rows = "1-100-A-1.wav,1,1,rooster\n4-200-A-0.wav,4,0,dog\n"
    folder = write_esc50(tmp_path / "set", rows, "1-100-A-1.wav", "4-200-A-0.wav")
    expected = read_clips([folder])
    meta = folder / "meta" / "esc50.csv"
    meta.write_text(meta.read_text(encoding="utf-8").replace(",", ";"), encoding="utf-8")
    assert read_clips([folder]) == expected


def test_the_csv_itself_may_be_named(tmp_path: Path):
    folder = write_esc50(tmp_path / "set", "a.wav,2,0,dog\n", "a.wav")
    assert len(read_clips([folder / "meta" / "esc50.csv"]).clips) == 1


def test_rows_of_one_file_are_labels_of_one_clip(tmp_path: Path):
    folder = write_esc50(tmp_path / "set", "a.wav,2,0,dog\na.wav,2,1,rain\n", "a.wav")
    assert [clip.labels for clip in read_clips([folder]).clips] == [{"dog", "rain"}]


def test_a_file_in_two_folds_is_refused(tmp_path: Path):
    folder = write_esc50(tmp_path / "set", "a.wav,2,0,dog\na.wav,3,0,dog\n", "a.wav")
    with pytest.raises(DataError, match=r"in one fold, found it in folds \[2, 3\]"):
        read_clips([folder])


def test_a_missing_file_is_quarantined(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    folder = write_esc50(tmp_path / "set", "a.wav,1,0,dog\ngone.wav,1,0,dog\n", "a.wav")
    table = read_clips([folder])
    assert [clip.path.name for clip in table.clips] == ["a.wav"]
    assert [(left.path.name, left.reason) for left in table.quarantined] == [
        ("gone.wav", "expected a file, found none")
    ]
    assert "quarantined" in caplog.text
    assert "gone.wav" in caplog.text


def test_a_class_without_clips_is_refused(tmp_path: Path):
    folder = write_esc50(tmp_path / "set", "a.wav,1,0,dog\ngone.wav,1,1,rain\n", "a.wav")
    with pytest.raises(DataError, match=r"class rain: expected at least one clip.*1 were quarant"):
        read_clips([folder])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.wav,first,0,dog\n", "esc50.csv:2: fold: expected a whole number, got 'first'"),
        ("a.wav,1,0,\n", "esc50.csv:2: category: expected the name of a class"),
        (",1,0,dog\n", "esc50.csv:2: filename: expected the name of a file"),
        ("a.wav,1,0,...\n", "expected at least one letter"),
    ],
)
def test_a_malformed_row_is_refused(tmp_path: Path, row: str, message: str):
    folder = write_esc50(tmp_path / "set", row, "a.wav")
    with pytest.raises(DataError, match=message):
        read_clips([folder])


def test_background_is_the_last_class(tmp_path: Path):
    rows = "a.wav,1,0,ambient\nb.wav,1,1,rain\n"
    table = read_clips([write_esc50(tmp_path / "set", rows, "a.wav", "b.wav")])
    assert table.classes == ("rain", BACKGROUND)
    assert table.clips[0].labels == {BACKGROUND}


def test_the_real_esc10(shared: Path):
    table = read_clips([shared / "data" / "esc10"])
    assert len(table.clips) == 400
    assert len(table.classes) == 10
    assert table.classes[:2] == ("dog", "rooster")
    assert [len(table.in_folds(fold).clips) for fold in range(1, 6)] == [80] * 5


def test_a_name_that_is_not_utf_8_is_a_name(tmp_path: Path):
    for folder in (b"dog", b"caf\xe9"):
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/set/" + folder))
        path.mkdir(parents=True)
        for number in range(2):
            (path / os.fsdecode(b"r\xe9c%d.wav" % number)).write_bytes(b"audio%d" % number)
    table = read_clips([tmp_path / "set"])
    assert table.classes == (r"caf\udce9", "dog")
    for clip in table.clips:
        assert clip.path.is_file()
        assert clip.group.encode()

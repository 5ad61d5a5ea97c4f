"""The tables of the world benchmark agree with each other, and what is made of them is fair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.world.clips import labelled_clips, unlabelled_clips
from benchmarks.world.datasets import Row, compose, read_table, with_folds
from benchmarks.world.packages import DataSet, Package, Sounds, World, read_world
from benchmarks.world.taught import draw_few, one_class

UNSEEN = (
    "asterisk-core-sounds-en", "asterisk-core-sounds-fr", "asterisk-core-sounds-ru",
    "asterisk-moh-opsound-wav", "drascula-music", "nexuiz-music", "tuxpaint-stamps-default",
    "lomiri-sounds", "linphone-common", "sound-theme-freedesktop",
)  # fmt: skip
SPEECH = Package("talk", "1", "test", "speech", "", "CC0", "", ("*.wav",), leave_out=("copy.wav",))
SOUNDS = Sounds("talk", "dog", ("bark*.wav",))
LITTLE = World({"dog": ("Dog",)}, (SPEECH,), (SOUNDS,))


def test_every_sound_is_of_a_package_and_of_a_known_label():
    world = read_world()
    names = {package.name for package in world.package}
    assert {sounds.package for sounds in world.sounds} <= names
    assert {sounds.label for sounds in world.sounds} <= set(world.labels)
    assert len(names) == len(world.package)


def test_each_part_has_speech_and_music_and_nothing_that_must_stay_unseen():
    world = read_world()
    for part in ("train", "tune", "test"):
        kinds = {package.kind for package in world.packages_of(part) if package.hours > 0.1}
        assert {"speech", "music"} <= kinds
    assert not [name for name in UNSEEN for each in world.package if each.name.startswith(name)]


def test_a_data_set_is_of_the_test_part_and_has_labels_that_there_are():
    world = read_world()
    there = {sounds.label for sounds in world.sounds_of("test") if sounds.real}
    for data_set in world.dataset:
        assert data_set.part == "test"
        assert {label for labels in data_set.classes.values() for label in labels} <= there


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "talk"
    folder.mkdir()
    for name, seconds in (("bark1", 1.0), ("bark2", 9.0), ("word", 1.0), ("copy", 1.0)):
        wave = 0.5 * np.sin(np.arange(round(16_000 * seconds)) / 7)
        soundfile.write(folder / f"{name}.wav", wave, 16_000)
    (folder / "link.wav").symlink_to(folder / "word.wav")
    return tmp_path


def test_labelled_sounds_links_and_copies_are_no_speech(root: Path):
    assert [clip.path.name for clip in unlabelled_clips(LITTLE, root, "test")] == ["word.wav"]
    labelled = list(labelled_clips(LITTLE, root, "test"))
    assert [(clip.path.name, clip.label) for clip in labelled] == [
        ("bark1.wav", "dog"),
        ("bark2.wav", "dog"),
    ]


def test_a_missing_file_is_an_error(root: Path):
    (root / "talk" / "bark1.wav").unlink()
    (root / "talk" / "bark2.wav").unlink()
    with pytest.raises(FileNotFoundError, match=r"bark\*\.wav"):
        list(labelled_clips(LITTLE, root, "test"))


def test_a_long_file_is_cut_and_stays_one_recording_in_one_fold(root: Path, tmp_path: Path):
    data_set = DataSet("little", "test", 2.0, 3, {"dogs": ("dog",)})
    rows = read_table(compose(LITTLE, data_set, root, tmp_path / "little"))
    assert [row.src_file for row in rows] == ["talk/bark1", *["talk/bark2"] * 3]
    assert len({row.fold for row in rows[1:]}) == 1
    assert {row.category for row in rows} == {"dogs"}


def rows_of(**recordings: int) -> list[Row]:
    """Of each class so many recordings of two clips each."""
    return [
        Row(f"{name}-{number}-{take}.wav", name, f"{name}/{number}")
        for name, count in recordings.items()
        for number in range(count)
        for take in range(2)
    ]


def test_a_recording_is_in_one_fold_and_each_fold_has_every_class():
    rows = with_folds(rows_of(dog=8, cat=4))
    for recording in {row.src_file for row in rows}:
        assert len({row.fold for row in rows if row.src_file == recording}) == 1
    for fold in range(1, 5):
        assert {row.category for row in rows if row.fold == fold} == {"dog", "cat"}


def test_what_is_taught_and_what_is_tested_share_no_recording():
    rows = with_folds(rows_of(dog=30, cat=30))
    few, alone = draw_few(rows, 5, 0), one_class(rows, "dog")
    assert alone is not None
    for experiment in (few, alone):
        taught = {row.src_file for row in experiment.train}
        assert not taught & {row.src_file for row in experiment.test}
        for recording in taught:  # `trainer fit` refuses one that is in two folds
            folds = {row.fold for row in experiment.train if row.src_file == recording}
            assert len(folds) == 1
    assert {row.fold for row in few.train if row.category == "dog"} == {1, 2}
    assert [row.category for row in few.train].count("dog") == 5
    assert {row.category for row in alone.train} == {"dog", "background"}
    assert draw_few(rows, 5, 1).train != few.train

"""File names give the recording of a clip; a licence file gives the licence."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainer.data.files import NOT_STATED, find_licence, group_in, group_of, read_text_table


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("1-172649-B-40.wav", "esc/172649"),
        ("5-172649-A-12.ogg", "esc/172649"),
        ("dog/0a7c2a8d_nohash_1.wav", "set/0a7c2a8d_nohash"),
        ("dog/kitchen_part1.wav", "set/dog/kitchen"),
        ("dog/kitchen - Part 02.wav", "set/dog/kitchen"),
        ("dog/kitchen (part 3).wav", "set/dog/kitchen"),
        ("kitchen.wav", "set/kitchen"),
        ("dog/deep/kitchen.m4a", "set/dog/deep/kitchen"),
    ],
)
def test_the_recording_is_in_the_name(name: str, group: str):
    assert group_of(Path(name), "set") == group


@pytest.mark.parametrize(
    "names",
    [
        [f"alarm_small_{number}.wav" for number in range(10)],
        ["dog.wav", "dog (1).wav", "dog (2).wav"],
        ["dog-1.wav", "dog-2.wav", "dog 3.wav", "dog4.wav"],
        ["Recording.m4a", "Recording (2).m4a", "New Recording 17.m4a"],
        ["ZOOM0001.WAV", "ZOOM0002.WAV", "STE-000.wav", "DR0000_0001.wav"],
        ["20261130_101500.wav", "20261130_101507.wav", "2026-11-30-1.wav", "2026-11-30-2.wav"],
        ["apart1.wav", "apart2.wav", "part1.wav", "part2.wav"],
        ["003.wav", "004.wav", "Voice 001.3gp", "AUD-20261130-WA0001.opus"],
    ],
)
def test_a_number_counts_takes_each_a_recording_of_its_own(names: list[str]):
    assert len({group_of(Path("dog") / name, "set") for name in names}) == len(names)


@pytest.mark.parametrize(
    ("columns", "row", "group"),
    [
        ("filename,src_file", "a.wav,172649", "esc/172649"),
        ("filename,recording", "a_1.wav,monday", "set/monday"),
        ("filename,Group", "a_2.wav, monday ", "set/monday"),
        ("filename,recording", "a_3.wav,", "set/a_3"),
        ("filename", "dog/a_3.wav", "set/dog/a_3"),
    ],
)
def test_a_table_says_what_is_of_one_recording(tmp_path: Path, columns: str, row: str, group: str):
    (tmp_path / "t.csv").write_text(f"{columns}\n{row}\n")
    assert group_in(read_text_table(tmp_path / "t.csv").rows[0], "set") == group


def test_the_licence_is_the_first_line_that_is_no_heading(tmp_path: Path):
    (tmp_path / "LICENSE.md").write_text("# Licence\n\nCC BY 3.0\n\nCite us.\n")
    (tmp_path / "clips.csv").write_text("x")
    assert find_licence(tmp_path) == "CC BY 3.0 (LICENSE.md)"
    assert find_licence(tmp_path / "clips.csv") == "CC BY 3.0 (LICENSE.md)"


def test_a_table_in_meta_has_its_licence_above(tmp_path: Path):
    (tmp_path / "meta").mkdir()
    (tmp_path / "LICENCE").write_text("CC0 1.0\n")
    assert find_licence(tmp_path / "meta" / "clips.csv") == "CC0 1.0 (LICENCE)"


def test_without_a_file_the_licence_is_not_stated(tmp_path: Path):
    assert find_licence(tmp_path) == NOT_STATED


def test_a_licence_that_is_not_text_is_reported(tmp_path: Path):
    (tmp_path / "LICENSE").write_bytes(b"\xff\xfe\xff")
    assert "expected text in UTF-8" in find_licence(tmp_path)

"""File names give the recording of a clip; a licence file gives the licence."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainer.data.files import NOT_STATED, find_licence, group_of


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("1-172649-B-40.wav", "esc/172649"),
        ("5-172649-A-12.ogg", "esc/172649"),
        ("kitchen_003.wav", "set/kitchen"),
        ("kitchen-4.wav", "set/kitchen"),
        ("kitchen 5.wav", "set/kitchen"),
        ("kitchen (6).wav", "set/kitchen"),
        ("take1_12.wav", "set/take1"),
        ("0a7c_nohash_1.wav", "set/0a7c_nohash"),
        ("kitchen.wav", "set/dog/kitchen"),
        ("003.wav", "set/dog/003"),
        ("dog_003.wav", "set/dog/dog_003"),
        ("Dog 3.wav", "set/dog/Dog 3"),
    ],
)
def test_the_recording_is_in_the_name(name: str, group: str):
    assert group_of(Path("set/dog") / name, "set", "dog") == group


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

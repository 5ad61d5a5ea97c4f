"""What a data set says of its licence."""

from __future__ import annotations

from pathlib import Path

from trainer.data.licences import NOT_STATED, find_licence


def test_the_first_line_that_is_no_heading(tmp_path: Path):
    (tmp_path / "LICENSE.md").write_text("# Licence\n\nCC BY 3.0\n\nCite us.\n")
    (tmp_path / "clips.csv").write_text("x")
    assert find_licence(tmp_path) == "CC BY 3.0 (LICENSE.md)"
    assert find_licence(tmp_path / "clips.csv") == "CC BY 3.0 (LICENSE.md)"


def test_a_table_in_meta_has_its_licence_above(tmp_path: Path):
    (tmp_path / "meta").mkdir()
    (tmp_path / "LICENCE").write_text("CC0 1.0\n")
    assert find_licence(tmp_path / "meta" / "clips.csv") == "CC0 1.0 (LICENCE)"


def test_without_a_file_it_is_not_stated(tmp_path: Path):
    assert find_licence(tmp_path) == NOT_STATED


def test_a_licence_that_is_not_text_is_told(tmp_path: Path):
    (tmp_path / "LICENSE").write_bytes(b"\xff\xfe\xff")
    assert "expected text in UTF-8" in find_licence(tmp_path)

"""State files are replaced whole or not at all, and set aside when they are broken."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter

from listener.files import read_state, write_state

NUMBERS = TypeAdapter(dict[str, int])


def test_what_was_written_is_read_and_private_to_its_owner(tmp_path: Path):
    path = tmp_path / "numbers.json"
    for value in ({}, {"a": 1}):
        write_state(path, NUMBERS, value)
        assert read_state(path, NUMBERS, {"empty": 0}, "numbers") == value
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["numbers.json"]


def test_no_file_gives_the_empty_value(tmp_path: Path):
    assert read_state(tmp_path / "none", NUMBERS, {"empty": 0}, "numbers") == {"empty": 0}


def test_a_broken_file_is_set_aside_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "numbers.json"
    path.write_bytes(b'{"a": "x"}')
    assert read_state(path, NUMBERS, {}, "numbers") == {}
    assert f"{path}: expected numbers, set aside" in caplog.text
    assert path.with_name("numbers.json.corrupt").read_bytes() == b'{"a": "x"}'


def test_a_disk_that_fails_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "numbers.json"
    write_state(path, NUMBERS, {"a": 1})
    path.with_name("numbers.json.partial").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_state(path, NUMBERS, {})
    assert read_state(path, NUMBERS, {}, "numbers") == {"a": 1}

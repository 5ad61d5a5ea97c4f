"""State files are replaced whole or not at all, and set aside when they are broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from listener.files import iso_utc, read_state, to_json, write_state

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


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (86_400.5, "1970-01-02T00:00:00.500Z"),
        (0.0004, "1970-01-01T00:00:00.000Z"),
        (0.9996, "1970-01-01T00:00:01.000Z"),
        (1_795_144_327.44, "2026-11-20T03:12:07.440Z"),
    ],
)
def test_times_are_utc_to_the_nearest_millisecond(seconds: float, text: str):
    assert iso_utc(seconds) == text


def test_json_is_one_line_that_keeps_letters():
    line = to_json({"label_name": "Türklingel"})
    assert line == '{"label_name":"Türklingel"}'
    assert json.loads(line) == {"label_name": "Türklingel"}


def test_a_number_that_json_cannot_say_is_an_error():
    with pytest.raises(ValueError, match="JSON"):
        to_json({"peak_score": float("nan")})

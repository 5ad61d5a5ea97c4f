"""Clips: audio and sidecar come back as they went, or are refused in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from listener.detection.clip import (
    ClipError,
    ClipRecord,
    LabelSpan,
    read_audio,
    read_sidecar,
    sidecar_path,
    write_clip,
    write_sidecar,
)
from listener.detection.event import SoundEvent
from tests.listener.detection.waveforms import RATE_HZ, sine

ID = "01JD9Z6T3W8Q5V1N2M4K7B0C9E"
EVENT = SoundEvent(ID, "hall", "dog", 1.8e9, 1.8e9 + 2.5, 0.9, 0.8, -20.5, "yamnet@1", "gap")


def make_record(directory: Path) -> ClipRecord:
    return ClipRecord(
        id=ID,
        path=directory / f"{ID}.flac",
        source="hall",
        captured_at=1.8e9 - 1.0,
        seconds=0.5,
        reason="event",
        event=EVENT,
        labels=(LabelSpan("dog", 0.1, 0.4),),
        verdict="labels",
    )


def test_a_clip_comes_back_as_it_went(tmp_path: Path):
    record = make_record(tmp_path)
    samples = sine(440, 0.5, 0.9)
    write_clip(record, samples, RATE_HZ)
    assert read_sidecar(sidecar_path(record.path)) == record
    found, rate_hz = read_audio(record)
    assert rate_hz == RATE_HZ
    assert found.dtype == np.float32
    assert np.abs(found - samples).max() <= 1 / 32_768


def test_nothing_half_written_is_left(tmp_path: Path):
    write_clip(make_record(tmp_path), sine(440, 0.5), RATE_HZ)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{ID}.flac", f"{ID}.json"]


def test_a_sidecar_replaces_the_older_one(tmp_path: Path):
    record = make_record(tmp_path)
    write_sidecar(record)
    write_sidecar(replace(record, verdict="wrong"))
    assert read_sidecar(sidecar_path(record.path)).verdict == "wrong"


def test_a_clip_that_was_moved_is_found_where_it_is(tmp_path: Path):
    write_sidecar(make_record(tmp_path))
    moved = (tmp_path / "elsewhere").with_suffix(".json")
    (tmp_path / f"{ID}.json").rename(moved)
    assert read_sidecar(moved).path == tmp_path / "elsewhere.flac"


@pytest.mark.parametrize(
    "name",
    ["", "../../etc/passwd", "a/b", ID.lower(), ID[:-1], ID + "0", ID[:-1] + "U", ID + "\n"],
)
def test_an_id_that_is_no_ulid_never_becomes_a_file_name(tmp_path: Path, name: str):
    with pytest.raises(ValidationError, match="clip id: expected a ULID"):
        replace(make_record(tmp_path), id=name)


@pytest.mark.parametrize(("onset", "offset"), [(-0.1, 1.0), (1.0, 1.0), (2.0, 1.0)])
def test_a_span_runs_forward_within_the_clip(onset: float, offset: float):
    with pytest.raises(ValidationError, match="span: expected 0 <= onset < offset"):
        LabelSpan("dog", onset, offset)


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\x00\xff\xfe",
        b"[]",
        b"null",
        b"{",
        b"{}",
        b'{"id": "../x"}',
        b"[" * 10_000,
        "über".encode("latin-1"),
    ],
)
def test_garbage_is_refused_in_one_line_that_names_the_file(tmp_path: Path, garbage: bytes):
    path = tmp_path / "x.json"
    path.write_bytes(garbage)
    with pytest.raises(ClipError) as error:
        read_sidecar(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    assert ": : " not in str(error.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("id", "../../../tmp/x"),
        ("reason", "because"),
        ("verdict", "maybe"),
        ("seconds", "long"),
        ("labels", [{"label": "dog", "onset": 2, "offset": 1}]),
        ("unknown", 1),
    ],
)
def test_a_wrong_value_is_refused_by_name(tmp_path: Path, key: str, value: object):
    record = make_record(tmp_path)
    write_sidecar(record)
    path = sidecar_path(record.path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(ClipError, match=key):
        read_sidecar(path)


def test_a_sidecar_cannot_name_another_file(tmp_path: Path):
    record = make_record(tmp_path)
    write_sidecar(record)
    path = sidecar_path(record.path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"path": "/etc/passwd"}))
    assert read_sidecar(path).path == record.path


def test_a_missing_sidecar_is_one_line(tmp_path: Path):
    with pytest.raises(ClipError, match=r"x\.json: cannot read the sidecar: No such file"):
        read_sidecar(tmp_path / "x.json")


def test_audio_that_is_none_is_one_line(tmp_path: Path):
    record = make_record(tmp_path)
    record.path.write_bytes(b"fLaC but not really")
    with pytest.raises(ClipError, match="expected FLAC audio"):
        read_audio(record)
    record.path.unlink()
    with pytest.raises(ClipError, match="expected FLAC audio"):
        read_audio(record)

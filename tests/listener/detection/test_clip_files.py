"""The files of a clip: audio, scores and sidecar are read as written, or refused in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from listener.detection.clip import (
    ClipAnalysis,
    ClipError,
    ClipRecord,
    GroupMembers,
    LabelScore,
    LabelSpan,
    Verdict,
    read_analysis,
)
from listener.detection.clip_files import (
    analysis_path,
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
        bundle="yamnet@1",
        score=0.9,
        on_threshold=0.5,
        top=(LabelScore("dog", 0.9), LabelScore("bark", 0.8)),
        groups=(GroupMembers("dog", ("bark", "howl")),),
        verdicts=(
            Verdict("right", "anna", 1.8e9 + 60.0),
            Verdict("labels", "bert", 1.8e9 + 90.0, (LabelSpan("bark", 0.1, 0.3),)),
        ),
    )


def make_analysis() -> ClipAnalysis:
    return ClipAnalysis(
        ("dog", "bark"),
        np.array([0.0, 0.25, 0.5]),
        np.array([[0.5, 0.25], [1.0, 0.0]], np.float16),
        np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]], np.float16),
    )


def test_a_clip_is_read_as_it_was_written(tmp_path: Path):
    record = make_record(tmp_path)
    samples = sine(440, 0.5, 0.9)
    write_clip(record, samples, RATE_HZ, make_analysis())
    assert read_sidecar(sidecar_path(record.path)) == record
    found, rate_hz = read_audio(record)
    assert rate_hz == RATE_HZ
    assert found.dtype == np.float32
    assert np.abs(found - samples).max() <= 1 / 32_768


def test_nothing_half_written_is_left(tmp_path: Path):
    write_clip(make_record(tmp_path), sine(440, 0.5), RATE_HZ, make_analysis())
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{ID}{suffix}" for suffix in (".flac", ".json", ".npz")
    ]


def test_a_sidecar_from_before_there_were_groups_is_read(tmp_path: Path):
    record = make_record(tmp_path)
    write_sidecar(record)
    path = sidecar_path(record.path)
    document = json.loads(path.read_text())
    del document["groups"]
    path.write_text(json.dumps(document))
    assert read_sidecar(path) == replace(record, groups=())
    path.write_text(json.dumps(document | {"groups": [{"label": "dog", "members": []}]}))
    with pytest.raises(ClipError, match=r"groups\.0\.members: Tuple should have at least 1 item"):
        read_sidecar(path)


def test_a_sidecar_replaces_the_older_one(tmp_path: Path):
    record = make_record(tmp_path)
    write_sidecar(record)
    write_sidecar(replace(record, verdicts=()))
    assert read_sidecar(sidecar_path(record.path)).verdicts == ()


def test_a_clip_that_was_moved_is_found_where_it_is(tmp_path: Path):
    write_sidecar(make_record(tmp_path))
    moved = (tmp_path / "elsewhere").with_suffix(".json")
    (tmp_path / f"{ID}.json").rename(moved)
    assert read_sidecar(moved).path == tmp_path / "elsewhere.flac"


def test_samples_are_those_of_16_bits(tmp_path: Path):
    record = make_record(tmp_path)
    every = (np.arange(-32_768, 32_768) / 32_768).astype(np.float32)
    write_clip(record, every, RATE_HZ, make_analysis())
    assert np.array_equal(read_audio(record)[0], every)


def test_samples_over_full_scale_are_clipped_and_do_not_wrap_around(tmp_path: Path):
    record = make_record(tmp_path)
    write_clip(record, np.array([2.0, -2.0] * 500, np.float32), RATE_HZ, make_analysis())
    assert set(read_audio(record)[0].tolist()) == {32_767 / 32_768, -1.0}


def test_an_analysis_is_read_as_it_was_written(tmp_path: Path):
    record, analysis = make_record(tmp_path), make_analysis()
    write_clip(record, sine(440, 0.5), RATE_HZ, analysis)
    found = read_analysis(analysis_path(record.path))
    assert found.labels == analysis.labels
    for name in ("boundaries", "scores", "embeddings"):
        assert np.array_equal(getattr(found, name), getattr(analysis, name))
    assert found.mean_embedding is not None
    assert found.mean_embedding.tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("content", [b"", b"PK", b"no arrays", b"\x93NUMPY\x01\x00"])
def test_a_broken_analysis_is_refused_in_one_line(tmp_path: Path, content: bytes):
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    with pytest.raises(ClipError, match=r"x\.npz: expected scores and embeddings"):
        read_analysis(path)


def test_arrays_that_do_not_belong_together_are_refused(tmp_path: Path):
    path = tmp_path / "x.npz"
    whole: dict[str, Any] = {
        "labels": ["dog"], "boundaries": np.arange(3.0), "scores": np.zeros((2, 1)),
        "embeddings": np.zeros((2, 4)),
    }  # fmt: skip
    for name, wrong in (("scores", (2, 2)), ("boundaries", (2,)), ("embeddings", (1, 4))):
        np.savez(path, **whole | {name: np.zeros(wrong)})
        with pytest.raises(ClipError, match=f"{name}: expected shape"):
            read_analysis(path)


@pytest.mark.parametrize(
    ("verdict", "value", "labels"),
    [(None, None, ()), ("right", "right", ()), ("labels", "labels", (LabelSpan("dog", 0.1, 0.4),))],
)
def test_a_sidecar_of_the_first_form_is_read(
    tmp_path: Path, verdict: str | None, value: str | None, labels: tuple[LabelSpan, ...]
):
    """It has one verdict, without who and when."""
    record = make_record(tmp_path)
    write_sidecar(record)
    path = sidecar_path(record.path)
    document = json.loads(path.read_text())
    for key in ("verdicts", "bundle", "score", "on_threshold", "top"):
        del document[key]
    path.write_text(json.dumps(document | {"verdict": verdict}))
    found = read_sidecar(path)
    assert found.labels == record.labels
    assert (found.verdict and found.verdict.value) == value
    assert found.verdict is None or found.verdict.labels == labels


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
        ("verdicts", [{"value": "maybe", "who": "anna", "at": 0}]),
        ("verdicts", [{"value": "right", "who": "", "at": 0}]),
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


def test_a_missing_sidecar_is_refused_in_one_line(tmp_path: Path):
    with pytest.raises(ClipError, match=r"x\.json: cannot read the sidecar: No such file"):
        read_sidecar(tmp_path / "x.json")


def test_broken_audio_is_refused_in_one_line(tmp_path: Path):
    record = make_record(tmp_path)
    record.path.write_bytes(b"fLaC but not really")
    with pytest.raises(ClipError, match="expected FLAC audio"):
        read_audio(record)
    record.path.unlink()
    with pytest.raises(ClipError, match="expected FLAC audio"):
        read_audio(record)

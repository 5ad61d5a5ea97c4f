"""Clip records, verdicts and spans cannot exist invalid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from listener.detection.clip import (
    ClipError,
    ClipRecord,
    LabelSpan,
    Verdict,
    is_clip_id,
    with_verdict,
)

ID = "01JD9Z6T3W8Q5V1N2M4K7B0C9E"
DOG = (LabelSpan("dog", 0.5, 1.5),)
GLASS = (LabelSpan("glass", 0.0, 2.0),)


def make_record(directory: Path, **changes: object) -> ClipRecord:
    record = ClipRecord(ID, directory / f"{ID}.flac", "hall", 1.8e9, 2.0, "near_miss", labels=DOG)
    return replace(record, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    ["", "../../etc/passwd", "a/b", ID.lower(), ID[:-1], ID + "0", ID[:-1] + "U", ID + "\n"],
)
def test_an_id_that_is_no_ulid_is_refused(tmp_path: Path, name: str):
    with pytest.raises(ValidationError, match="clip id: expected a ULID"):
        replace(make_record(tmp_path), id=name)


@pytest.mark.parametrize(("onset", "offset"), [(-0.1, 1.0), (1.0, 1.0), (2.0, 1.0)])
def test_a_span_runs_forward_within_the_clip(onset: float, offset: float):
    with pytest.raises(ValidationError, match="span: expected 0 <= onset < offset"):
        LabelSpan("dog", onset, offset)


HEARD = {
    "right": (Verdict("right", "anna", 1.0), DOG),
    "wrong": (Verdict("wrong", "anna", 1.0), ()),
    "labels": (Verdict("labels", "anna", 1.0, GLASS), GLASS),
    "nothing": (Verdict("labels", "anna", 1.0), ()),
}


@pytest.mark.parametrize(("verdict", "heard"), HEARD.values(), ids=HEARD)
def test_the_labels_in_a_clip_follow_from_its_verdict(
    tmp_path: Path, verdict: Verdict, heard: tuple[LabelSpan, ...]
):
    record = make_record(tmp_path)
    assert (record.label, record.verdict, record.heard) == ("dog", None, None)
    judged = with_verdict(record, verdict)
    assert (judged.label, judged.verdict, judged.heard) == ("dog", verdict, heard)


def test_a_later_verdict_replaces_an_earlier_one_and_both_stay(tmp_path: Path):
    first, second = Verdict("right", "anna", 1.0), Verdict("wrong", "bert", 2.0)
    record = with_verdict(with_verdict(make_record(tmp_path), first), second)
    assert record.verdicts == (first, second)
    assert record.heard == ()


def test_a_verdict_is_about_this_clip(tmp_path: Path):
    too_late = Verdict("labels", "anna", 1.0, (LabelSpan("dog", 1.0, 2.5),))
    with pytest.raises(ClipError, match=r"dog: expected an offset up to 2 s, got 2\.5"):
        with_verdict(make_record(tmp_path), too_late)
    with pytest.raises(ClipError, match="expected the labels that it holds, got wrong"):
        with_verdict(make_record(tmp_path, labels=()), Verdict("wrong", "anna", 1.0))


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"value": "maybe"}, "'right', 'wrong' or 'labels'"),
        ({"who": ""}, "who"),
        ({"who": "x" * 65}, "who"),
        ({"who": "a\nb"}, "who"),
        ({"at": float("nan")}, "at"),
        ({"at": -1.0}, "at"),
        ({"labels": DOG}, "verdict right: expected no labels, got 1"),
    ],
)
def test_an_impossible_verdict_is_refused(values: dict[str, object], line: str):
    with pytest.raises(ValidationError, match=line):
        Verdict(**{"value": "right", "who": "anna", "at": 1.0} | values)  # type: ignore[arg-type]


def test_an_id_is_recognised_by_its_form():
    assert is_clip_id(ID)
    assert not is_clip_id(ID.lower())
    assert not is_clip_id("../" + ID)

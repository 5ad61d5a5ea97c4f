"""What was announced is known over restarts, and what is gone is found in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from listener.homeassistant.announced import (
    MOST_GONE_COMPONENTS,
    MOST_GONE_TOPICS,
    Announced,
    read_announced,
    write_announced,
)

NOTHING = Announced({}, ())


def document(*labels: str) -> dict[str, Any]:
    return {"components": {label: {"platform": "binary_sensor", "name": label} for label in labels}}


def test_what_is_gone_is_found():
    known = NOTHING.including({"hall": document("dog", "cat"), "barn": document("dog")}, ["a", "b"])
    assert known.gone_devices({"hall": document("dog")}) == ["barn"]
    assert known.gone_components("hall", document("dog")) == {"cat": "binary_sensor"}
    assert known.gone_components("shed", document("dog")) == {}
    assert known.gone_states(["b", "c"]) == ["a"]


def test_what_is_gone_stays_known_until_it_is_back():
    known = NOTHING.including({"hall": document("dog", "cat"), "barn": document("dog")}, ["a", "b"])
    later = known.including({"hall": document("dog")}, ["b"])
    assert later.gone_devices({"hall": document("dog")}) == ["barn"]
    assert later.gone_components("hall", document("dog")) == {"cat": "binary_sensor"}
    assert later.gone_states(["b"]) == ["a"]
    back = later.including({"hall": document("cat"), "barn": document()}, ["a"])
    assert back.gone_devices({"hall": document("cat"), "barn": document()}) == []
    assert back.gone_states(["a"]) == ["b"]


def test_of_all_that_is_gone_the_oldest_is_forgotten():
    labels = [f"l{number}" for number in range(MOST_GONE_COMPONENTS + 5)]
    topics = [f"s{number}" for number in range(MOST_GONE_TOPICS + 5)]
    known = NOTHING.including({"hall": document(*labels)}, topics)
    gone = known.gone_components("hall", document())
    assert (next(iter(gone)), len(gone)) == ("l5", MOST_GONE_COMPONENTS)
    assert known.gone_states([])[0] == "s5"
    later = known.including({"hall": document()}, [])
    assert later.devices == {"hall": gone}
    assert len(later.states) == MOST_GONE_TOPICS


def test_it_is_kept_on_disk(tmp_path: Path):
    path = tmp_path / "homeassistant.json"
    assert read_announced(path) == NOTHING
    known = NOTHING.including({"hall": document("dog")}, ["a"])
    write_announced(path, known)
    assert read_announced(path) == known


def test_a_disk_that_fails_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    write_announced(tmp_path / "none" / "homeassistant.json", NOTHING)
    assert "is not kept: No such file or directory" in caplog.text

"""Documents go out retained, and what is gone is taken back, also after a restart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from listener.homeassistant.announcer import Announcer
from tests.listener.sinks.notices import NotebookPublisher

HALL, BARN = "ha/device/farm/hall/config", "ha/device/farm/barn/config"


def document(*labels: str) -> dict[str, Any]:
    components = {label: {"platform": "number", "unique_id": label} for label in labels}
    return {"device": {}, "components": components}


def announcer(tmp_path: Path) -> tuple[Announcer, NotebookPublisher]:
    publisher = NotebookPublisher()
    return Announcer(publisher, tmp_path / "homeassistant.json"), publisher


def retained(publisher: NotebookPublisher) -> dict[str, str]:
    assert all((message.retain, message.qos) == (True, 1) for message in publisher.published)
    return {message.topic: message.payload for message in publisher.published}


def test_devices_are_announced_in_their_order(tmp_path: Path):
    one, publisher = announcer(tmp_path)
    one.announce({HALL: document("dog"), BARN: document("dog")}, ["farm/hall/status"])
    assert list(retained(publisher)) == [HALL, BARN]
    assert json.loads(retained(publisher)[HALL]) == document("dog")


def test_a_component_that_is_gone_is_its_platform_alone(tmp_path: Path):
    one, publisher = announcer(tmp_path)
    one.announce({HALL: document("dog", "cat")}, [])
    one.announce({HALL: document("dog")}, [])
    components = json.loads(retained(publisher)[HALL])["components"]
    assert components == {
        "dog": {"platform": "number", "unique_id": "dog"},
        "cat": {"platform": "number"},
    }


def test_after_a_restart_all_that_is_gone_is_taken_back_each_time(tmp_path: Path):
    announcer(tmp_path)[0].announce({HALL: document("dog", "cat"), BARN: document()}, ["a", "b"])
    for _ in range(2):  # nobody knows whether the broker heard it the first time
        again, publisher = announcer(tmp_path)
        again.announce({HALL: document("cat")}, ["b"])
        said = retained(publisher)
        assert (said[BARN], said["a"]) == ("", "")
        assert json.loads(said[HALL])["components"]["dog"] == {"platform": "number"}
        assert "b" not in said


def test_without_its_memory_nothing_is_taken_back(tmp_path: Path):
    """The control: why there is a file."""
    announcer(tmp_path)[0].announce({HALL: document("dog", "cat"), BARN: document()}, ["a"])
    (tmp_path / "homeassistant.json").unlink()
    again, publisher = announcer(tmp_path)
    again.announce({HALL: document("cat")}, [])
    assert retained(publisher).keys() == {HALL}
    assert "dog" not in json.loads(retained(publisher)[HALL])["components"]


def test_what_comes_back_is_announced_whole(tmp_path: Path):
    for labels in (("dog",), (), ("dog",)):
        one, publisher = announcer(tmp_path)
        one.announce({HALL: document(*labels)}, [])
    assert json.loads(retained(publisher)[HALL]) == document("dog")


def test_it_can_be_said_once_more(tmp_path: Path):
    one, publisher = announcer(tmp_path)
    one.announce({HALL: document("dog")}, [])
    first = list(publisher.published)
    one.repeat()
    assert publisher.published == [*first, *first]

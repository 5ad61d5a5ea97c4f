"""Commands to a running station, and what it answers."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.contracts.around import Subscriber, http, wait_until
from tests.contracts.dump import Dump

TOKEN = "a-token-of-24-characters"
_AUTHORISED = {"Authorization": f"Bearer {TOKEN}", "Content_Type": "application/json"}
_NUMBERS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Scene:
    """A running station that has heard the scene."""

    dump: Dump
    folder: Path
    ears: Subscriber
    http: int
    review: int
    posts: list[tuple[dict[str, str], Any]]

    @property
    def clips(self) -> list[str]:
        """The ids of stored clips, in order."""
        return sorted(path.stem for path in (self.folder / "clips").glob("*/*/*/*.json"))


def _command(**fields: Any) -> str:
    known = {"id": f"test-{next(_NUMBERS)}", "at": datetime.now(UTC).isoformat()}
    return json.dumps({key: value for key, value in (known | fields).items() if value is not None})


def dump_answers(scene: Scene) -> None:
    """Each command, right and wrong, over MQTT and HTTP; what went wrong in a file of its own."""
    clip, room = scene.clips[0], {"source": "room"}
    marks = [{"label": "siren", "onset": 0.5, "offset": 2.0}, {"label": "doorbell"}]
    asked: list[tuple[str, dict[str, Any]]] = [
        ("flag", {"clip": clip, "verdict": "right", "who": "me"}),
        ("flag", {"clip": clip, "verdict": "labels", "labels": marks}),
        ("flag", {"clip": clip, "verdict": "maybe"}),
        ("flag", {"clip": "0" * 26, "verdict": "wrong"}),
        ("flag", {"clip": clip, "verdict": "labels", "labels": [{"label": "unknown"}]}),
        ("mute", {"label": "siren", "seconds": 600}),
        ("mute", room | {"seconds": 600}),
        ("mute", {"label": "nothing", "seconds": 600}),
        ("mute", {"seconds": 1e9}),
        ("mute", {}),
        ("unmute", {"label": "siren"}),
        ("unmute", room),
        ("unmute", {"source": "nowhere"}),
        ("threshold", {"label": "doorbell", "on": 0.7, "off": 0.4}),
        ("threshold", room | {"label": "alarms", "on": 0.8, "off": 0.6}),
        ("threshold", {"label": "doorbell"}),
        ("threshold", {"label": "doorbell", "on": 0.2, "off": 0.4}),
        ("threshold", {"label": "nothing", "on": 0.7, "off": 0.4}),
        ("snapshot", room | {"seconds": 2}),
        ("snapshot", {"source": "nowhere", "seconds": 2}),
        ("snapshot", room | {"seconds": -1}),
        ("replay", {"from_seq": 1, "to_seq": 3}),
        ("replay", {"from_seq": 3, "to_seq": 1}),
        ("replay", {"from_seq": "a", "to_seq": 1}),
        ("reload", {}),
        ("reload", {"bundle": "x"}),
        ("reload", {"id": None}),
        ("reload", {"id": "no id!"}),
        ("reload", {"id": "test-1"}),
        ("reload", {"at": "2026-01-01T00:00:00Z"}),
        ("reload", {"at": "yesterday"}),
    ]
    payloads = [(name, fields, _command) for name, fields in asked]
    answers: list[tuple[str, Any, Any]] = []
    for name, fields, make in payloads:
        time.sleep(0.12)  # ten a second are taken
        answers.append((f"mqtt {name}", fields, scene.ears.ask(name, make(**fields))))
    for name, raw in (("reload", "{"), ("reload", "[]"), ("reload", " " * 9000)):
        time.sleep(0.12)
        answers.append((f"mqtt {name}", raw[:9], scene.ears.ask(name, raw)))
    answers.append(("mqtt retained", {}, scene.ears.ask("reload", _command(), retain=True)))
    scene.ears.publish("earshot/test/command/reload", "", retain=True)
    scene.ears.publish("earshot/test/command/mute", _command(label="siren", seconds=0))
    answers += _ask_over_http(scene)
    wait_until(lambda: scene.ears.of("earshot/test/command/mute/result"), "a result")
    _write_answers(scene.dump, answers)


def _ask_over_http(scene: Scene) -> list[tuple[str, Any, Any]]:
    good, plain = dict(_AUTHORISED), {"Content_Type": "text/plain"}
    mute = {"label": "siren", "seconds": 1}
    tried: list[tuple[str, int, str, str, dict[str, str]]] = [
        ("done", scene.http, "/command/mute", _command(**mute), good),
        ("refused", scene.http, "/command/mute", _command(), good),
        ("unknown", scene.http, "/command/dance", _command(), good),
        (
            "no token",
            scene.http,
            "/command/mute",
            _command(**mute),
            {"Content_Type": "application/json"},
        ),
        ("other type", scene.http, "/command/mute", _command(**mute), good | plain),
        ("too large", scene.http, "/command/mute", " " * 9000, good),
        ("review done", scene.review, "/api/command/mute", _command(**mute), good),
        ("review no token", scene.review, "/api/command/mute", _command(**mute), plain),
    ]
    answers: list[tuple[str, Any, Any]] = []
    for name, port, path, body, headers in tried:
        time.sleep(0.12)
        status, _, answer = http(port, path, body.encode(), **headers)
        answers.append((f"http {name}", status, json.loads(answer)))
    return answers


def _write_answers(dump: Dump, answers: list[tuple[str, Any, Any]]) -> None:
    errors = [f"{name} {asked}: {answer.get('error')}" for name, asked, answer in answers]
    dump.text("commands_errors.txt", "\n".join(errors))
    bare = [
        [name, asked, answer | ({"error": "..."} if "error" in answer else {})]
        for name, asked, answer in answers
    ]
    dump.json("commands.json", bare)

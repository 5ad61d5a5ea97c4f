"""Where events would go is tried, and nothing is sent there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from listener.commands.check_outlets import check_outlets
from listener.commands.finding import Finding
from listener.config.load import parse_config
from tests.rigs.http_inbox import http_inbox
from tests.rigs.mosquitto import free_port


def found(**tables: Any) -> dict[str, tuple[bool, str]]:
    document = {"bundle": "b", "sources": [{"name": "hall", "kind": "microphone"}], **tables}
    findings: list[Finding] = [*check_outlets(parse_config(document, "c.toml"))]
    return {finding.part: (finding.works, finding.detail) for finding in findings}


def test_what_is_not_configured_is_not_tried():
    assert found() == {}


def test_what_works(tmp_path: Path):
    with http_inbox() as inbox:
        rows = found(
            webhook={"url": f"http://127.0.0.1:{inbox.port}/secret"},
            event_file={"path": str(tmp_path / "events.jsonl")},
            hook={"program": ["/bin/cat"]},
        )
        assert inbox.requests == []
    assert rows == {
        "webhook": (True, "127.0.0.1 can be reached; nothing was posted"),
        "event_file": (True, str(tmp_path / "events.jsonl")),
        "hook": (True, "/bin/cat"),
    }
    assert not any(tmp_path.iterdir())


def test_what_does_not(tmp_path: Path):
    away, plain = tmp_path / "away" / "events.jsonl", tmp_path / "plain"
    plain.write_text("no program")
    rows = found(
        webhook={"url": f"http://127.0.0.1:{free_port()}/secret"},
        event_file={"path": str(away)},
        hook={"program": [str(plain)]},
    )
    assert not any(works for works, _ in rows.values())
    assert rows["webhook"][1].startswith("ConnectionRefusedError")
    assert rows["event_file"][1] == f"{away}: expected a file that this user may write"
    assert rows["hook"][1] == f"{plain}: expected a program that this user may run"
    assert found(webhook={"url": "http://x/", "token_file": "none"})["webhook"][1].startswith(
        "webhook.token_file: cannot read none"
    )
    assert found(event_file={"path": str(tmp_path)})["event_file"][0] is False

"""`listener check`: a table that says what works, and exit code 1 if anything does not."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from listener.commands.check import Finding, check_outputs
from listener.config.load import parse_config
from listener.detection.bundle import Bundle
from tests.listener.commands.program import one_line, own_lines, run_listener
from tests.listener.detection.waveforms import sine
from tests.listener.scenes import write_sound
from tests.rigs.http_inbox import http_inbox
from tests.rigs.mosquitto import Mosquitto, free_port
from tests.rigs.station import write_toml

FREE_PORT = free_port()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


def check(directory: Path, bundle: Path, **changes: Any) -> tuple[int, dict[str, tuple[str, str]]]:
    """Exit code, and for each part whether it works and the detail."""
    sound = write_sound(directory / "sine.wav", sine(440.0, 2.0, 0.5))
    source = {"name": "hall", "kind": "file", "path": sound, "pace": "fast"}
    config = {"bundle": bundle, "sources": [source], "http": {"port": 0}}
    done = run_listener(
        "check", "--config", write_toml(directory / "config.toml", config | changes)
    )
    assert own_lines(done.stderr) == []
    rows = [[cell.strip() for cell in line.split("│")] for line in done.stdout.splitlines()]
    return done.returncode, {row[1]: (row[2], row[3]) for row in rows if len(row) == 5}


def test_a_station_that_works(tmp_path: Path, tones_bundle: Bundle, broker: Mosquitto):
    code, rows = check(tmp_path, tones_bundle.path, mqtt={"port": broker.port})
    assert code == 0
    assert list(rows) == [
        "config",
        "bundle",
        "source hall",
        f"broker 127.0.0.1:{broker.port}",
        "http 127.0.0.1:0",
        "disk",
        "clock",
    ]
    assert {works for works, _ in rows.values()} == {"yes"}
    assert "tones@1, 3 of 3 labels, golden check passed, litert" in rows["bundle"][1]
    assert "16000 Hz, level -9.0 dBFS, peak -6.0 dBFS" in rows["source hall"][1]


def test_each_part_that_fails_is_named_and_the_others_are_tried(tmp_path: Path):
    sources = [
        {"name": "hall", "kind": "file", "path": "missing.wav"},
        {"name": "yard", "kind": "file", "path": "sine.wav", "pace": "fast"},
    ]
    mqtt = {"port": FREE_PORT}
    code, rows = check(tmp_path, tmp_path / "nowhere", sources=sources, mqtt=mqtt)
    assert code == 1
    works = {part: works for part, (works, _) in rows.items()}
    assert works == {
        "config": "yes",
        "bundle": "no",
        "source hall": "no",
        "source yard": "yes",
        f"broker 127.0.0.1:{FREE_PORT}": "no",
        "http 127.0.0.1:0": "yes",
        "disk": "yes",
        "clock": "yes",
    }
    assert "expected a bundle directory with bundle.json" in rows["bundle"][1]
    assert "missing.wav: cannot be read: No such file or directory" in rows["source hall"][1]
    assert "refused" in rows[f"broker 127.0.0.1:{FREE_PORT}"][1].lower()


def test_an_address_that_is_taken_fails_for_both_servers(tmp_path: Path, tones_bundle: Bundle):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        address = f"127.0.0.1:{port}"
        review = {"enabled": True, "port": 0}
        code, rows = check(tmp_path, tones_bundle.path, http={"port": port}, review=review)
        assert (code, rows[f"http {address}"][0], rows["review 127.0.0.1:0"][0]) == (1, "no", "yes")
        review = {"enabled": True, "port": port}
        code, rows = check(tmp_path, tones_bundle.path, review=review)
    assert (code, rows["http 127.0.0.1:0"][0], rows[f"review {address}"][0]) == (1, "yes", "no")
    assert rows[f"review {address}"][1].startswith(
        "expected a free address: Address already in use"
    )


def test_a_name_that_is_not_this_machine_fails(tmp_path: Path, tones_bundle: Bundle):
    code, rows = check(tmp_path, tones_bundle.path, http={"host": "192.0.2.1", "port": 9464})
    assert (code, rows["http 192.0.2.1:9464"][0]) == (1, "no")
    assert "Cannot assign requested address" in rows["http 192.0.2.1:9464"][1]


def test_a_review_page_without_its_extra_fails(
    tmp_path: Path, tones_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
):
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "uvicorn.py").write_text("raise ModuleNotFoundError(f'No module named {__name__!r}')")
    monkeypatch.setenv("PYTHONPATH", str(hidden), prepend=os.pathsep)
    code, rows = check(tmp_path, tones_bundle.path, review={"enabled": True})
    assert (code, rows["review"][0]) == (1, "no")
    assert rows["review"][1].startswith("expected pip install 'earshot[review]': ")


def test_a_bundle_with_a_flipped_bit_fails(tmp_path: Path, tones_bundle: Bundle):
    broken = shutil.copytree(tones_bundle.path, tmp_path / "broken")
    model = bytearray((broken / "model.tflite").read_bytes())
    model[len(model) // 2] ^= 1
    (broken / "model.tflite").write_bytes(model)
    code, rows = check(tmp_path, broken)
    assert (code, rows["bundle"][0]) == (1, "no")
    assert "expected SHA-256" in rows["bundle"][1]


def test_a_label_that_the_bundle_lacks_fails(tmp_path: Path, tones_bundle: Bundle):
    code, rows = check(tmp_path, tones_bundle.path, detection={"labels": ["low_tune"]})
    assert (code, rows["bundle"][0]) == (1, "no")
    assert "has no label 'low_tune'; near to it: low_tone" in rows["bundle"][1]


def test_a_bundle_from_the_future_shows_a_wrong_clock(tmp_path: Path, tones_bundle: Bundle):
    later = shutil.copytree(tones_bundle.path, tmp_path / "later")
    manifest = later / "bundle.json"
    manifest.write_text(manifest.read_text().replace("2026-01-01T00:00:00", "2999-01-01T00:00:00"))
    code, rows = check(tmp_path, later)
    assert (code, rows["clock"][0]) == (1, "no")
    assert "before the bundle, 2999-01-01" in rows["clock"][1]


@pytest.mark.parametrize(
    ("created", "fault"),
    [
        ("2026-01-01T00:00:00", "created: expected a time with its zone"),
        ("yesterday", "Invalid isoformat string"),
    ],
)
def test_a_bundle_without_a_proper_date_fails(
    tmp_path: Path, tones_bundle: Bundle, created: str, fault: str
):
    undated = shutil.copytree(tones_bundle.path, tmp_path / "undated")
    manifest = undated / "bundle.json"
    manifest.write_text(manifest.read_text().replace("2026-01-01T00:00:00+00:00", created))
    code, rows = check(tmp_path, undated)
    assert (code, rows["bundle"][0]) == (1, "no")
    assert fault in rows["bundle"][1]


def test_a_wrong_config_is_one_line_and_exit_code_2(tmp_path: Path):
    config = tmp_path / "config.toml"
    config.write_text("sources = 1\n")
    done = run_listener("check", "--config", config)
    assert (done.returncode, done.stdout) == (2, "")
    assert one_line(done.stderr).startswith(f"{config}: bundle: Field required")


def found(**tables: Any) -> dict[str, tuple[bool, str]]:
    document = {"bundle": "b", "sources": [{"name": "hall", "kind": "microphone"}], **tables}
    findings: list[Finding] = [*check_outputs(parse_config(document, "c.toml"))]
    return {finding.part: (finding.works, finding.detail) for finding in findings}


def test_an_output_that_is_not_configured_is_not_tested():
    assert found() == {}


def test_an_output_that_works(tmp_path: Path):
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


def test_an_output_that_does_not_work(tmp_path: Path):
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

"""Two real stations send patches to a real model server, which is killed and comes back."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from listener.detection.bundle import Bundle
from tests.listener.scenes import two_tones, write_sound
from tests.rigs.model_server import ModelServer, need_mlserver
from tests.rigs.mosquitto import free_port, wait_until
from tests.rigs.station import LISTENER, StationProcess, get, metric, running_station
from trainer.export.model_repository import write_to_repository

PATIENCE_SECONDS = 60.0


def config_of(bundle: Bundle, sound: Path, url: str, port: int, fallback: str) -> dict[str, Any]:
    remote = {
        "urls": [url],
        "timeout_seconds": 5.0,
        "retry_seconds": 0.2,
        "retry_limit_seconds": 0.5,
        "fallback": fallback,
    }
    return {
        "bundle": bundle.path,
        "sources": [{"name": "hall", "kind": "file", "path": sound}],
        "engine": {"kind": "remote", "queue_seconds": PATIENCE_SECONDS, "remote": remote},
        "console": {"format": "jsonl"},
        "http": {"port": port},
    }


def events_of(station: StationProcess) -> list[dict[str, Any]]:
    return [json.loads(line) for line in station.output.splitlines()]


def replayed(bundle: Bundle, sound: Path) -> list[tuple[str, float]]:
    done = subprocess.run(
        [*LISTENER, "replay", str(sound), "--bundle", str(bundle.path)],
        check=True,
        capture_output=True,
        text=True,
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return [(event["label"], round(event["offset"] - event["onset"], 2)) for event in events]


def ended(station: StationProcess) -> list[tuple[str, float]]:
    events = [event for event in events_of(station) if event["phase"] == "end"]
    return [(event["label"], round(event["duration_seconds"], 2)) for event in events]


@pytest.fixture
def repository(tones_bundle: Bundle, tmp_path: Path) -> Path:
    need_mlserver()
    write_to_repository(tones_bundle, tmp_path / "repository")
    return tmp_path / "repository"


def test_no_event_is_lost_when_the_server_is_killed_with_or_without_a_fallback(
    tones_bundle: Bundle, repository: Path, tmp_path: Path
):
    sound = write_sound(tmp_path / "two_tones.wav", two_tones())
    here, away = tmp_path / "here", tmp_path / "away"
    here.mkdir()
    away.mkdir()
    ports = free_port(), free_port()
    with ModelServer(tmp_path, repository) as server:
        falls_back = config_of(tones_bundle, sound, server.grpc_url, ports[0], "litert")
        waits = config_of(tones_bundle, sound, server.grpc_url, ports[1], "none")
        with running_station(here, falls_back) as one, running_station(away, waits) as other:
            wait_until(lambda: all(map(events_of, (one, other))), PATIENCE_SECONDS, "first events")
            server.kill()
            one.wait_for_log("patches go to the local engine", PATIENCE_SECONDS)
            other.wait_for_log("no model server answers: sources wait", PATIENCE_SECONDS)
            fallback_patches = metric(ports[0], "listener_fallback_patches_total ")
            unready = get(ports[1], "/readyz")
            server.start()
            for station in (one, other):
                assert station.process.wait(PATIENCE_SECONDS) == 0
    assert fallback_patches is not None
    assert fallback_patches > 0
    assert unready[0] == 503
    assert "engine: no model server answers" in unready[1]
    expected = replayed(tones_bundle, sound)
    assert [label for label, _ in expected] == ["low_tone", "high_tone"]
    assert ended(one) == ended(other) == expected
    assert "patches are dropped" not in other.log
    assert other.log.count("not up") <= 2  # not once per attempt; the line changes with the reason

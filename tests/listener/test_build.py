"""A station hands its events to every output that the config names; wrong outputs end it in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from listener.config.load import load_config
from listener.config.station import ConfigError
from listener.detection.bundle import Bundle
from tests.bundles import HIGH_TONE_HZ, LOW_TONE_HZ
from tests.listener.detection.waveforms import silence, sine
from tests.listener.scenes import write_sound
from tests.rigs.http_inbox import Inbox, http_inbox
from tests.rigs.mosquitto import free_port, wait_until
from tests.rigs.station import get, metric, running_station, write_toml


def station_config(folder: Path, bundle: Bundle, at_end: str, **tables: Any) -> dict[str, Any]:
    """A station whose source plays low_tone and high_tone, once or again and again."""
    tones = [sine(hz, 2.0, 0.5) for hz in (LOW_TONE_HZ, HIGH_TONE_HZ)]
    sound = np.concatenate([tones[0], silence(1.0), tones[1], silence(1.0)])
    wav = write_sound(folder / "hall.wav", sound)
    pace = "fast" if at_end == "stop" else "realtime"
    source = {"name": "hall", "kind": "file", "path": wav, "pace": pace, "at_end": at_end}
    return {
        "station": "test",
        "bundle": bundle.path,
        "sources": [source],
        "http": {"port": free_port()},
        **tables,
    }


def spans(documents: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(document["label"], document["phase"]) for document in documents]


SPANS = [
    ("low_tone", "start"),
    ("low_tone", "end"),
    ("high_tone", "start"),
    ("high_tone", "end"),
]


def test_every_event_reaches_the_server_the_file_and_the_program(
    tones_bundle: Bundle, tmp_path: Path
):
    (tmp_path / "token").write_text("a-secret-of-the-tests\n")
    inbox = Inbox()
    inbox.faults += [503, 0]
    with http_inbox(inbox):
        config = station_config(
            tmp_path,
            tones_bundle,
            "restart",
            webhook={"url": f"http://127.0.0.1:{inbox.port}/x", "token_file": tmp_path / "token"},
            event_file={"path": "events.jsonl"},  # beside the config
            hook={"program": ["/bin/sh", "-c", f"cat >> {tmp_path}/hook.jsonl; echo heard"]},
        )
        with running_station(tmp_path, config) as station:
            received = inbox.wait_for(4, 60)
            wait_until(lambda: len(read(tmp_path / "hook.jsonl")) >= 4, 40, "four runs")
            metrics = get(config["http"]["port"], "/metrics")[1]
            assert station.stop() == 0
            log = station.log
    assert spans(received)[:4] == SPANS
    assert [document["seq"] for document in received] == [*range(1, len(received) + 1)]
    assert inbox.requests[0].headers["Authorization"] == "Bearer a-secret-of-the-tests"
    for path in ("events.jsonl", "hook.jsonl"):
        assert spans(read(tmp_path / path))[:4] == SPANS
    assert read(tmp_path / "events.jsonl")[0]["id"] == received[0]["id"]
    for name in ('sink_failures_total{sink="event_file"}', 'sink_failures_total{sink="hook"}'):
        assert f"listener_{name} 0.0" in metrics
    assert "listener_webhook_dead_total 0.0" in metrics
    assert "hook: /bin/sh: heard" in log
    assert "a-secret-of-the-tests" not in log
    assert "Traceback" not in log


def read(path: Path) -> list[dict[str, Any]]:
    """The complete lines of a file, if there is one."""
    if not path.exists():
        return []
    text = path.read_text()
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def test_events_that_wait_for_a_server_survive_a_kill(tones_bundle: Bundle, tmp_path: Path):
    inbox = Inbox()
    with http_inbox(inbox):
        pass  # a port where nothing listens now
    webhook = {"url": f"http://127.0.0.1:{inbox.port}/"}
    config = station_config(tmp_path, tones_bundle, "restart", webhook=webhook)
    with running_station(tmp_path, config) as station:
        station.wait_for_log("events wait: ConnectionRefusedError", 60)
        port = config["http"]["port"]
        wait_until(
            lambda: (metric(port, "listener_webhook_events ") or 0) >= 3, 60, "three events wait"
        )
        station.process.kill()
        station.process.wait()
    with http_inbox(inbox), running_station(tmp_path, config):
        received = inbox.wait_for(4, 60)
    assert spans(received)[:3] == SPANS[:3]
    assert (received[3]["phase"], received[3]["reason"]) in (("end", "restart"), ("end", None))
    assert [document["seq"] for document in received[:4]] == [1, 2, 3, 4]


QUIET = {"begin": "00:00", "end": "23:59", "timezone": "UTC", "labels": ["low_tone"]}
LAST_MINUTE = {**QUIET, "begin": "23:59", "end": "00:00"}  # the rest of the day


def test_quiet_labels_make_no_events_and_no_clips(tones_bundle: Bundle, tmp_path: Path):
    config = station_config(
        tmp_path,
        tones_bundle,
        "stop",
        quiet=[QUIET, LAST_MINUTE],
        event_file={"path": "events.jsonl"},
        console={"format": "jsonl"},
        clips={"enabled": True, "ambient_per_hour": 0.0, "near_misses_per_hour": 0.0},
    )
    with running_station(tmp_path, config) as station:
        assert station.process.wait(40) == 0, station.log
        printed = [json.loads(line) for line in station.output.splitlines()]
    expected = [("high_tone", "start"), ("high_tone", "end")]
    assert spans(printed) == spans(read(tmp_path / "events.jsonl")) == expected
    assert len([*(tmp_path / "clips").rglob("*.flac")]) == 1


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"webhook": {"url": "ftp://x/"}}, "webhook.url: expected http:// or https://, a host and"),
        ({"webhook": {"url": "https://a:hunter2@x/"}}, "webhook.url: expected http:// or https://"),
        (
            {"hook": {"program": ["notify"]}},
            "hook: program: expected the absolute path of a program",
        ),
        ({"quiet": [QUIET | {"begin": "7:00"}]}, "quiet.0.begin: expected a time of day such as"),
        ({"quiet": [QUIET | {"timezone": "Mars/Base"}]}, "quiet.0.timezone: expected a time zone"),
        ({"quiet": [QUIET | {"all_but": []}]}, "quiet.0: expected either labels or all_but"),
        ({"quiet": [QUIET | {"labels": []}]}, "quiet.0: labels: expected at least one"),
        ({"quiet": [QUIET | {"end": "00:00"}]}, "quiet.0: begin, end: expected two different"),
        (
            {"quiet": [QUIET | {"sources": ["hal"]}]},
            "quiet.sources: expected some of hall, got hal",
        ),
    ],
)
def test_an_impossible_output_is_one_line(
    tones_bundle: Bundle, tmp_path: Path, tables: dict[str, Any], message: str
):
    document = station_config(tmp_path, tones_bundle, "stop", **tables)
    with pytest.raises(ConfigError) as error:
        load_config(write_toml(tmp_path / "config.toml", document))
    assert str(error.value).startswith(f"{tmp_path / 'config.toml'}: {message}")
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (
            {"webhook": {"url": "https://x/", "token_file": "none"}},
            "webhook.token_file: cannot read",
        ),
        (
            {"quiet": [QUIET | {"labels": ["low_tune"]}]},
            "quiet: no label 'low_tune' makes events; near to it: low_tone",
        ),
    ],
)
def test_what_only_a_station_can_check_is_one_line_and_exit_code_2(
    tones_bundle: Bundle, tmp_path: Path, tables: dict[str, Any], message: str
):
    config = station_config(tmp_path, tones_bundle, "stop", **tables)
    with running_station(tmp_path, config) as station:
        assert station.process.wait(40) == 2
    assert message in station.log
    assert len([line for line in station.log.splitlines() if "listener:" in line]) == 1

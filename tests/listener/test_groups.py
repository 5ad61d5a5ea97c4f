"""A group is one label in events, states, metrics, clips and commands of the real programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from listener.detection.bundle import Bundle
from tests.bundles import LOW_TONE_HZ
from tests.listener.commands.program import run_listener
from tests.listener.detection.waveforms import silence, sine
from tests.listener.scenes import TOLERANCE_SECONDS, TRUTH, two_tones, write_sound
from tests.rigs.bundle_copies import copy_bundle, point_link
from tests.rigs.commander import ask, command
from tests.rigs.mosquitto import Mosquitto, free_port, subscribe, wait_until
from tests.rigs.station import StationProcess, get, running_station, write_toml

GROUPS = {"beeper": ["HIGH_TONE", "Low tone"]}
ROOT = "earshot/test"
STATE = f"{ROOT}/hall/state/beeper"


def test_replay_gives_events_of_the_group_where_its_members_are(
    tones_bundle: Bundle, tmp_path: Path
):
    sound = write_sound(tmp_path / "scene.wav", two_tones())
    config = write_toml(
        tmp_path / "config.toml",
        {
            "bundle": tones_bundle.path,
            "sources": [{"name": "hall", "kind": "microphone"}],
            "labels": GROUPS,
            "detection": {"labels": ["high_tone"]},
        },
    )
    scores = tmp_path / "scores.npz"
    done = run_listener("replay", sound, "--config", config, "--scores", scores)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    spans = [(event["onset"], event["offset"]) for event in events if event["label"] == "beeper"]
    for (onset, offset), (_, true_onset, true_offset) in zip(spans, TRUTH, strict=True):
        assert onset == pytest.approx(true_onset, abs=TOLERANCE_SECONDS)
        assert offset == pytest.approx(true_offset, abs=TOLERANCE_SECONDS)
    assert {event["label"] for event in events} == {"beeper", "high_tone"}

    done = run_listener(
        "replay", sound, "--bundle", tones_bundle.path, "--scores", tmp_path / "own.npz"
    )
    with np.load(scores) as grouped, np.load(tmp_path / "own.npz") as own:
        assert grouped["labels"].tolist() == ["beeper", "high_tone"]
        low, high, _ = own["scores"].T
        np.testing.assert_array_equal(grouped["scores"], np.stack([np.maximum(low, high), high], 1))


def test_an_unknown_member_is_one_line_and_exit_code_2(tones_bundle: Bundle, tmp_path: Path):
    document = {
        "bundle": tones_bundle.path,
        "sources": [{"name": "hall", "kind": "microphone"}],
        "labels": {"beeper": ["Low tune"]},
    }
    done = run_listener("run", "--config", write_toml(tmp_path / "config.toml", document))
    assert done.returncode == 2
    assert "labels.beeper: tones@1 has no label 'Low tune'; near to it: Low tone" in done.stderr
    assert "Traceback" not in done.stderr


@dataclass(frozen=True, slots=True)
class Running:
    """A station that plays a beep in a loop; `models/current` points to its bundle."""

    broker: Mosquitto
    http_port: int
    process: StationProcess
    folder: Path


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory, tones_bundle: Bundle) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("station")
    beep = np.concatenate([sine(LOW_TONE_HZ, 2.0, 0.5), silence(1.0)])
    models = folder / "models"
    models.mkdir()
    copy_bundle(tones_bundle, models / "v2")
    point_link(models / "current", "v2")
    with Mosquitto(folder) as broker:
        config: dict[str, Any] = {
            "station": "test",
            "bundle": models / "current",
            "sources": [
                {
                    "name": "hall",
                    "kind": "file",
                    "path": write_sound(folder / "hall.wav", beep),
                    "at_end": "restart",
                }
            ],
            "labels": {"beeper": {"name": "Something beeps", "members": GROUPS["beeper"]}},
            "mqtt": {"port": broker.port},
            "http": {"port": free_port()},
            "clips": {"enabled": True, "directory": folder / "clips", "ambient_per_hour": 0.0},
            "control": {"mqtt": True, "state_file": folder / "state.json"},
        }
        with running_station(folder, config) as process:
            yield Running(broker, config["http"]["port"], process, folder)


def test_events_and_states_are_the_groups(station: Running):
    with subscribe(station.broker.port, f"{ROOT}/hall/#") as messages:
        (ended, *_) = messages.wait_for(
            lambda m: m.topic == f"{ROOT}/hall/event" and '"end"' in m.payload, seconds=40
        )
        event = json.loads(ended.payload)
        assert (event["label"], event["label_name"]) == ("beeper", "Something beeps")
        assert event["peak_score"] > 0.9
        messages.wait_for_payload(STATE, "ON", 40)
        messages.wait_for_payload(STATE, "OFF", 40)
        assert {m.topic for m in messages.all if "/state/" in m.topic} == {STATE}


def test_metrics_are_the_groups(station: Running):
    wait_until(
        lambda: 'listener_events_total{label="beeper"' in get(station.http_port, "/metrics")[1],
        40,
        "an event in the metrics",
    )
    assert "low_tone" not in get(station.http_port, "/metrics")[1]


def clips_of(station: Running) -> list[dict[str, Any]]:
    paths = (station.folder / "clips").glob("*/*/*/*.json")
    return [json.loads(path.read_text()) for path in sorted(paths)]


def test_clips_carry_the_group_and_a_verdict_may_name_it(station: Running):
    wait_until(lambda: bool(clips_of(station)), 40, "a clip")
    clip = clips_of(station)[0]
    assert [span["label"] for span in clip["labels"]] == ["beeper"]
    # the member with the higher score comes first, whatever the order in the config
    assert clip["groups"] == [{"label": "beeper", "members": ["low_tone", "high_tone"]}]
    for labels in (["beeper"], ["low_tone"]):
        verdict = command(clip=clip["id"], verdict="labels", labels=[{"label": n} for n in labels])
        assert ask(station.broker.port, "flag", verdict)["ok"]
        verdicts = clips_of(station)[0]["verdicts"]
        assert [span["label"] for span in verdicts[-1]["labels"]] == labels


def test_thresholds_and_mutes_apply_to_the_group(station: Running):
    asked = command(source="hall", label="beeper", on=0.75)
    answer = ask(station.broker.port, "threshold", asked)
    assert answer["thresholds"] == {"hall": {"on": 0.75, "off": 0.3}}
    assert not ask(station.broker.port, "mute", command(label="low_tone", seconds=60))["ok"]


def test_a_bundle_without_a_member_is_refused_and_the_group_goes_on(
    station: Running, tones_bundle: Bundle
):
    def rename(manifest: dict[str, Any]) -> None:
        manifest["labels"][1] = {"slug": "whistle", "name": "Whistle"}
        manifest["policies"]["whistle"] = manifest["policies"].pop("high_tone")

    models = station.folder / "models"
    copy_bundle(tones_bundle, models / "v3", rename)
    with subscribe(station.broker.port, f"{ROOT}/#") as messages:
        point_link(models / "current", "v3")
        (refusal, *_) = messages.wait_for(
            lambda m: m.topic == f"{ROOT}/bundle/refused" and bool(m.payload), seconds=40
        )
        reason = json.loads(refusal.payload)["reason"]
        assert reason.startswith("labels.beeper: tones@2 has no label 'HIGH_TONE'")
        seen = len(messages.wait_for_topic(f"{ROOT}/hall/event", 0))
        messages.wait_for_topic(f"{ROOT}/hall/event", seen + 2, 40)
    point_link(models / "current", "v2")

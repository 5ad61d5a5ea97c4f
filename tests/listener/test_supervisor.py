"""A running station swaps, refuses and rolls back bundles: real daemon, real broker, real files."""

from __future__ import annotations

import itertools
import json
import shutil
import signal
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from listener.detection.bundle import Bundle
from listener.detection.params import FeatureParams
from listener.health import Health
from listener.sources.source import STEP_SECONDS, unix_minus_monotonic
from listener.supervisor import ClockWatch
from tests.bundles import LOW_TONE_HZ, make_tones_bundle
from tests.rigs.bundle_copies import copy_bundle, flip_a_bit, point_link
from tests.rigs.commander import ask, command, publish
from tests.rigs.mosquitto import Messages, Mosquitto, free_port, subscribe, wait_until
from tests.rigs.station import get, metric, running_station

RATE = 16_000
TOKEN = "a-token-of-the-tests"


def tone(seconds: float, amplitude: float = 0.5) -> np.ndarray[Any, np.dtype[np.float64]]:
    return amplitude * np.sin(2 * np.pi * LOW_TONE_HZ * np.arange(round(seconds * RATE)) / RATE)


def write(path: Path, samples: np.ndarray[Any, np.dtype[np.float64]]) -> Path:
    soundfile.write(path, samples, RATE, subtype="PCM_16")
    return path


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as mosquitto:
        yield mosquitto


@pytest.fixture(scope="module")
def short_hop_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The tones at half the patch hop, and so another front end."""
    path = tmp_path_factory.mktemp("bundles") / "short-hop"
    return make_tones_bundle(path, FeatureParams(patch_hop_seconds=0.24))


@pytest.fixture
def models(tmp_path: Path, tones_bundle: Bundle) -> Path:
    """A models directory: `v1`, `v2` with another label, and `current`, which points to v1."""
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copytree(tones_bundle.path, folder / "v1")
    copy_bundle(tones_bundle, folder / "v2", rename_low_tone)
    (folder / "current").symlink_to("v1")
    return folder


def rename_low_tone(manifest: dict[str, Any]) -> None:
    """Make `low_tone` another label, `hum`."""
    manifest["labels"][0] = {"slug": "hum", "name": "Hum"}
    manifest["policies"]["hum"] = manifest["policies"].pop("low_tone")


def config_of(bundle: Path, broker: Mosquitto, *files: Path, **control: Any) -> dict[str, Any]:
    token = bundle.parent / "token"
    token.write_text(TOKEN + "\n")
    return {
        "station": "test",
        "bundle": bundle,
        "sources": [{"name": file.stem, "kind": "file", "path": file} for file in files],
        "mqtt": {"port": broker.port, "level_interval_seconds": 0.0},
        "http": {"port": free_port()},
        "control": {"mqtt": True, "http_token_file": token} | control,
    }


def looped(config: dict[str, Any]) -> dict[str, Any]:
    for source in config["sources"]:
        source["at_end"] = "restart"
    return config


def documents(messages: Messages, topic: str) -> list[dict[str, Any]]:
    found = [message.payload for message in messages.all if message.topic == topic]
    return [json.loads(payload) for payload in found if payload]


def wait_for_bundle(messages: Messages, version: int) -> None:
    messages.wait_for(
        lambda m: m.topic == "earshot/test/bundle" and json.loads(m.payload)["version"] == version,
        seconds=20,
    )


def patches_in(seconds: float) -> int:
    return 1 + -(-(round(seconds * RATE) - 15_600) // 7_680)


def test_three_sources_play_through_a_hot_swap_and_no_patch_is_lost(
    models: Path, broker: Mosquitto, tmp_path: Path
):
    files = [write(tmp_path / f"{name}.wav", tone(4.5)) for name in ("a", "b", "c")]
    config = config_of(models / "current", broker, *files)
    with (
        subscribe(broker.port, "earshot/test/#") as messages,
        running_station(tmp_path, config) as station,
    ):
        for name in "abc":
            messages.wait_for_topic(f"earshot/test/{name}/event", seconds=20)
        point_link(models / "current", "v2")
        wait_for_bundle(messages, 2)
        assert 'version="2"' in get(config["http"]["port"], "/metrics")[1]
        assert station.process.wait(30) == 0
    for name in "abc":
        levels = documents(messages, f"earshot/test/{name}/level")
        assert len(levels) == patches_in(4.5)
        first, second = (
            event
            for event in documents(messages, f"earshot/test/{name}/event")
            if event["phase"] == "end"
        )
        assert (first["label"], first["bundle"], first["reason"]) == (
            "low_tone",
            "tones@1",
            "bundle",
        )
        assert (second["label"], second["label_name"], second["bundle"]) == (
            "hum",
            "Hum",
            "tones@2",
        )
        assert second["onset"] == first["offset"]
        states = {
            m.topic.rpartition("/")[2]: m.payload for m in messages.all if "/state/" in m.topic
        }
        assert (states["low_tone"], states["hum"]) == ("", "OFF")
    assert "Traceback" not in station.log


def test_a_bundle_with_another_front_end_is_taken_too(
    models: Path, short_hop_bundle: Bundle, broker: Mosquitto, tmp_path: Path
):
    shutil.copytree(short_hop_bundle.path, models / "short")
    wav = write(tmp_path / "a.wav", tone(4.0))
    with (
        subscribe(broker.port, "earshot/test/a/#") as messages,
        running_station(tmp_path, config_of(models / "current", broker, wav)) as station,
    ):
        messages.wait_for_topic("earshot/test/a/event", seconds=20)
        point_link(models / "current", "short")
        assert station.process.wait(30) == 0
    ends = [e for e in documents(messages, "earshot/test/a/event") if e["phase"] == "end"]
    assert [event["reason"] for event in ends] == ["bundle", "end_of_stream"]
    assert ends[1]["onset"] == ends[0]["offset"]
    whole = ends[0]["duration_seconds"] + ends[1]["duration_seconds"]
    assert whole == pytest.approx(4.0, abs=0.002)
    at = [level["at"] for level in documents(messages, "earshot/test/a/level")]
    steps = [round(seconds_between(*pair), 2) for pair in itertools.pairwise(at)]
    changed = steps.index(0.24)
    assert set(steps[: changed - 1]) == {0.48}
    assert set(steps[changed:-1]) == {0.24}  # the last one is what is left


def seconds_between(first: str, second: str) -> float:
    return (datetime.fromisoformat(second) - datetime.fromisoformat(first)).total_seconds()


def bad_bundles(models: Path, bundle: Bundle) -> dict[str, str]:
    """Targets of `current`, and why each is refused."""
    flip_a_bit(copy_bundle(bundle, models / "torn"))
    copy_bundle(bundle, models / "shifted", shift_the_bands)
    (models / "empty").mkdir()
    shutil.copytree(bundle.path, models.parent / "elsewhere")
    return {
        "torn": "expected SHA-256",
        "shifted": "golden check",
        "empty": "expected a bundle directory",
        "v2": "has no label 'low_tone'",  # which the config looks for
        "../elsewhere": "expected a link to a bundle in",
    }


def test_bad_bundles_are_refused_and_the_one_in_use_stays(
    models: Path, tones_bundle: Bundle, broker: Mosquitto, tmp_path: Path
):
    wav = write(tmp_path / "a.wav", tone(3.0))
    config = looped(config_of(models / "current", broker, wav))
    config["detection"] = {"labels": ["low_tone"]}
    bad = bad_bundles(models, tones_bundle)
    topic = "earshot/test/bundle/refused"
    publish(broker.port, topic, b"of an earlier run", "-r")
    with (
        subscribe(broker.port, "earshot/test/#") as messages,
        running_station(tmp_path, config) as station,
    ):
        messages.wait_for_payload("earshot/test/a/status", "online", 20)
        messages.wait_for_payload(topic, "")
        for number, (target, reason) in enumerate(bad.items(), 2):
            point_link(models / "current", target)
            refusals = messages.wait_for(lambda m: m.topic == topic and bool(m.payload), number, 20)
            assert reason in json.loads(refusals[-1].payload)["reason"]
            assert reason in station.log
        answer = ask(broker.port, "reload", command())
        assert (answer["ok"], reason in answer["error"]) == (False, True)
        refused = metric(config["http"]["port"], 'listener_bundle_switches_total{result="refused"}')
        assert refused == len(bad) + 1
        assert 'version="1"' in get(config["http"]["port"], "/metrics")[1]
        point_link(models / "current", "v1")
        same = {"ok": True, "bundle": "tones@1", "changed": False}
        assert ask(broker.port, "reload", command()) == same
        messages.wait_for(lambda m: m.topic == topic and not m.payload, 2)
        assert station.stop() == 0


def shift_the_bands(manifest: dict[str, Any]) -> None:
    manifest["features"] |= {"mel_max_hz": 3_900.0}


def test_sighup_reads_the_bundle_again(models: Path, broker: Mosquitto, tmp_path: Path):
    """The directory was replaced in place, so that no link moved."""
    wav = write(tmp_path / "a.wav", tone(3.0))
    config = looped(config_of(models / "v1", broker, wav))
    with (
        subscribe(broker.port, "earshot/test/bundle") as messages,
        running_station(tmp_path, config) as station,
    ):
        station.wait_for_log("source a: online")
        shutil.rmtree(models / "v1")
        (models / "v2").rename(models / "v1")
        station.process.send_signal(signal.SIGHUP)
        wait_for_bundle(messages, 2)
        assert station.stop() == 0
    assert "bundle tones@2: now active, from" in station.log


def test_a_label_that_jumps_rolls_back_the_bundle(
    models: Path, tones_bundle: Bundle, broker: Mosquitto, tmp_path: Path
):
    """The new bundle makes events of beeps that are too short for the old one."""
    long_only = {"smoothing_seconds": 0.0, "min_duration_seconds": 5.0}
    short_too = {"smoothing_seconds": 0.0}
    shutil.rmtree(models / "v1")
    copy_bundle(tones_bundle, models / "v1", lambda m: m["policies"]["low_tone"].update(long_only))
    copy_bundle(
        tones_bundle,
        models / "v3",
        lambda m: m.update(version=3) or m["policies"]["low_tone"].update(short_too),
    )
    wav = write(tmp_path / "a.wav", np.concatenate([tone(1.0), np.zeros(RATE)] * 4))
    control = {"rollback_factor": 3.0, "rollback_least_events": 2}
    config = looped(config_of(models / "current", broker, wav, **control))
    with (
        subscribe(broker.port, "earshot/test/#") as messages,
        running_station(tmp_path, config) as station,
    ):
        messages.wait_for_payload("earshot/test/a/status", "online", 20)
        point_link(models / "current", "v3")
        wait_for_bundle(messages, 3)
        refused = messages.wait_for(
            lambda m: m.topic == "earshot/test/bundle/refused" and bool(m.payload), seconds=30
        )[0]
        wait_until(
            lambda: documents(messages, "earshot/test/bundle")[-1]["version"] == 2, 20, "v1 is back"
        )
        refusal = json.loads(refused.payload)
        assert (refusal["bundle"], "low_tone: " in refusal["reason"]) == ("tones@3", True)
        assert (models / "current").readlink() == Path("v1")
        assert (
            metric(config["http"]["port"], 'listener_bundle_switches_total{result="rolled_back"}')
            == 1
        )
        assert station.stop() == 0
    assert "rolled back to tones@2" in station.log


def test_the_offset_between_the_clocks() -> None:
    assert time.monotonic() + unix_minus_monotonic() == pytest.approx(time.time(), abs=1.0)


@pytest.mark.parametrize("step", [3600.0, -7200.0, 0.6])
def test_a_step_is_reported_once(monkeypatch: pytest.MonkeyPatch, step: float) -> None:
    now = time.time
    health, steps = Health((), "home-alarms@3"), list[float]()
    watch = ClockWatch(health, steps.append)
    watch.tick()
    assert steps == []
    monkeypatch.setattr(time, "time", lambda: now() + step)
    watch.tick()
    watch.tick()
    assert steps == [pytest.approx(step, abs=0.1)]
    assert health.clock_steps == 1


def test_a_clock_that_is_slewed_has_not_stepped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.time
    steps: list[float] = []
    watch = ClockWatch(Health((), "home-alarms@3"), steps.append)
    for slewed in range(1, 11):
        monkeypatch.setattr(time, "time", lambda by=slewed: now() + by * STEP_SECONDS / 2)
        watch.tick()
        assert steps == []

"""A station end to end: real audio through every kind of source, a real broker, a real Prometheus."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from listener.detection.audio import Samples
from listener.detection.bundle import Bundle
from tests import rigs
from tests.bundles import HIGH_TONE_HZ, LOW_TONE_HZ
from tests.listener.detection.waveforms import sine
from tests.rigs import pulse, rtsp
from tests.rigs.http_audio import Page, http_server
from tests.rigs.mosquitto import Message, Mosquitto, free_port, subscribe, wait_until
from tests.rigs.prometheus import prometheus
from tests.rigs.station import LISTENER, get, running_station
from tests.shared import read_waveform

RATE = 16_000
KINDS = ("file", "http", "rtsp", "stdin", "microphone")


@dataclass(frozen=True)
class Programme:
    """Audio that every source plays, and the labels of its events."""

    bundle: Bundle
    samples: Samples
    labels: tuple[str, ...]

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE


def tone(hz: float, seconds: float) -> Samples:
    return sine(hz, seconds, 0.5)


@pytest.fixture(scope="module")
def tones(tones_bundle: Bundle) -> Programme:
    silence = np.zeros(2 * RATE, np.float32)
    parts = [silence, tone(LOW_TONE_HZ, 3), silence, tone(HIGH_TONE_HZ, 3), silence]
    return Programme(tones_bundle, np.concatenate(parts), ("low_tone", "high_tone"))


RECORDINGS = {
    "3-151081-A-20.ogg": "baby_cry_infant_cry",
    "3-180977-A-0.ogg": "dog",
    "4-181286-A-10.ogg": "rain",
    "4-169127-B-41.ogg": "chainsaw",
}


@pytest.fixture(scope="module")
def esc10(shared: Path, yamnet_bundle: Bundle) -> Programme:
    folder = shared / "data" / "esc10" / "audio"
    # a second of silence first: PulseAudio drops the beginning of a stream
    parts = [np.zeros(RATE, np.float32)] + [read_waveform(folder / name) for name in RECORDINGS]
    return Programme(yamnet_bundle, np.concatenate(parts), tuple(RECORDINGS.values()))


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path_factory.mktemp("mosquitto")) as mosquitto:
        yield mosquitto


def station_config(
    bundle: Bundle, broker: Mosquitto, sources: list[dict[str, Any]], **more: Any
) -> dict[str, Any]:
    config = {
        "station": "test",
        "bundle": bundle.path,
        "sources": sources,
        "mqtt": {"port": broker.port, "level_interval_seconds": 0.0},
        "http": {"port": free_port()},
        "backoff": {"first_seconds": 0.1, "limit_seconds": 1.0},
    }
    return config | more


def file_source(path: Path, **more: Any) -> dict[str, Any]:
    return {"name": path.stem.lower(), "kind": "file", "path": path, **more}


def write_wav(path: Path, samples: Samples) -> Path:
    soundfile.write(path, samples, RATE, subtype="PCM_16")
    return path


@pytest.mark.parametrize("programme", ["tones", "esc10"])
def test_every_kind_of_source_gives_the_expected_labels_on_mqtt(
    programme: str, request: pytest.FixtureRequest, broker: Mosquitto, tmp_path: Path
):
    played: Programme = request.getfixturevalue(programme)
    for reason in (rtsp.missing(), pulse.missing()):
        if reason:
            pytest.skip(reason)
    wav = write_wav(tmp_path / "programme.wav", played.samples)
    with ExitStack() as rigs:
        short = rigs.enter_context(tempfile.TemporaryDirectory())  # a socket's path is short
        microphone = rigs.enter_context(pulse.virtual_microphone(Path(short)))
        http = rigs.enter_context(http_server({"/programme": Page(wav.read_bytes())}))
        rtsp_address = rigs.enter_context(rtsp.rtsp_server(wav))
        messages = rigs.enter_context(subscribe(broker.port, "earshot/test/+/event"))
        config = station_config(
            played.bundle,
            broker,
            [
                {"name": "file", "kind": "file", "path": wav},
                {"name": "http", "kind": "stream", "url": f"http://{http}/programme"},
                {"name": "rtsp", "kind": "stream", "url": f"rtsp://{rtsp_address}"},
                {"name": "stdin", "kind": "stdin", "sample_rate_hz": RATE},
                {"name": "microphone", "kind": "microphone", "device": pulse.DEVICE},
            ],
            detection={"labels": list(played.labels)},
        )
        station = rigs.enter_context(
            running_station(tmp_path, config, microphone.environment, stdin=subprocess.PIPE)
        )
        stdin = station.process.stdin
        assert stdin is not None
        stdin.write((played.samples * 32767).astype("<i2").tobytes())
        stdin.flush()
        station.wait_for_log("source microphone: online")
        player = microphone.play(wav)
        for kind in KINDS:
            for label in played.labels:
                messages.wait_for(starts(kind, label), seconds=played.seconds + 15)
        player.wait(10)
        assert station.stop() == 0
    assert "Traceback" not in station.log


def starts(source: str, label: str) -> Callable[[Message], bool]:
    """Matches the start of an event of that source and label."""
    return _is_event(source=source, label=label, phase="start")


def ends(source: str, reason: str) -> Callable[[Message], bool]:
    """Matches the end of an event of that source, for that reason."""
    return _is_event(source=source, phase="end", reason=reason)


def _is_event(**expected: str) -> Callable[[Message], bool]:
    def matches(message: Message) -> bool:
        if not message.topic.endswith("/event"):
            return False
        event = json.loads(message.payload)
        return all(event[name] == value for name, value in expected.items())

    return matches


def test_a_stop_ends_open_events_publishes_offline_and_exits_0_within_3_seconds(
    tones_bundle: Bundle, broker: Mosquitto, tmp_path: Path
):
    wav = write_wav(tmp_path / "alarm.wav", tone(LOW_TONE_HZ, 60))
    config = station_config(tones_bundle, broker, [file_source(wav)])
    with (
        subscribe(broker.port, "earshot/test/#") as messages,
        running_station(tmp_path, config) as station,
    ):
        start = messages.wait_for(lambda m: m.topic == "earshot/test/alarm/event")[0]
        began = time.monotonic()
        assert station.stop() == 0
        assert time.monotonic() - began < 3.0  # docs/promises.md
        end = messages.wait_for_topic("earshot/test/alarm/event", 2)[1]
        messages.wait_for_payload("earshot/test/alarm/state/low_tone", "OFF")
        messages.wait_for_payload("earshot/test/alarm/status", "offline")
        messages.wait_for_payload("earshot/test/status", "offline")
    first, last = json.loads(start.payload), json.loads(end.payload)
    assert (last["phase"], last["reason"], last["id"]) == ("end", "shutdown", first["id"])
    assert last["duration_seconds"] > 0


def test_a_stop_takes_at_most_3_seconds_even_when_a_stream_hangs(
    tones_bundle: Bundle, broker: Mosquitto, tmp_path: Path
):
    wav = write_wav(tmp_path / "good.wav", tone(LOW_TONE_HZ, 60))
    body = wav.read_bytes()
    with http_server({"/stalls": Page(body, stall_after_bytes=330_000)}) as http:
        stream = {"kind": "stream", "url": f"http://{http}/stalls", "read_timeout_seconds": 30.0}
        port = free_port()
        config = station_config(
            tones_bundle,
            broker,
            [{"name": "stalls", **stream}, file_source(wav)],
            http={"port": port, "ready_within_seconds": 1.5},
        )
        with (
            subscribe(broker.port, "earshot/test/+/event") as messages,
            running_station(tmp_path, config) as station,
        ):
            for name in ("stalls", "good"):
                messages.wait_for(starts(name, "low_tone"), seconds=20)
            wait_until(lambda: "source stalls: last" in get(port, "/readyz")[1], 20, "a stall")
            began = time.monotonic()
            assert station.stop() == 0
            assert time.monotonic() - began < 3.0
            for name in ("stalls", "good"):
                messages.wait_for(ends(name, "shutdown"))


def test_a_late_subscriber_gets_the_retained_topics(
    tones_bundle: Bundle, broker: Mosquitto, tmp_path: Path
):
    wav = write_wav(tmp_path / "quiet.wav", np.zeros(3 * RATE, np.float32))
    config = station_config(tones_bundle, broker, [file_source(wav, at_end="restart")])
    with running_station(tmp_path, config) as station:
        station.wait_for_log("source quiet: online")
        station.wait_for_log("connected")
        with subscribe(broker.port, "earshot/test/#") as messages:
            late = {
                "earshot/test/status": "online",
                "earshot/test/quiet/status": "online",
                "earshot/test/quiet/state/low_tone": "OFF",
                "earshot/test/quiet/state/high_tone": "OFF",
            }
            for topic, payload in late.items():
                messages.wait_for_payload(topic, payload)
            bundle = json.loads(messages.wait_for_topic("earshot/test/bundle")[0].payload)
            level = json.loads(messages.wait_for_topic("earshot/test/quiet/level")[0].payload)
    assert (bundle["name"], bundle["version"]) == ("tones", 1)
    assert (level["dbfs"], level["peak_dbfs"]) == (-120.0, -120.0)


def test_prometheus_scrapes_the_metrics_of_the_station(
    tones_bundle: Bundle, broker: Mosquitto, tmp_path: Path
):
    samples = np.concatenate([tone(LOW_TONE_HZ, 3), np.zeros(3 * RATE, np.float32)])
    wav = write_wav(tmp_path / "beeps.wav", samples)
    config = station_config(tones_bundle, broker, [file_source(wav, at_end="restart")])
    port = config["http"]["port"]
    with running_station(tmp_path, config), prometheus(tmp_path, port) as server:
        events = server.wait_for('listener_events_total{source="beeps",label="low_tone"} > 0')
        server.wait_for('listener_source_up{source="beeps"} == 1')
        server.wait_for("listener_mqtt_connected == 1")
        server.wait_for("listener_inference_seconds_count > 3")
        server.wait_for('time() - listener_last_patch_timestamp_seconds{source="beeps"} < 10')
        assert get(port, "/healthz")[0] == 200
        assert get(port, "/readyz")[0] == 200
    assert float(events[0]["value"][1]) >= 1


def test_replay_gives_the_same_events_as_run(tones: Programme, broker: Mosquitto, tmp_path: Path):
    wav = write_wav(tmp_path / "same.wav", tones.samples)
    config = station_config(tones.bundle, broker, [file_source(wav)])
    with (
        subscribe(broker.port, "earshot/test/same/event") as messages,
        running_station(tmp_path, config) as station,
    ):
        assert station.process.wait(tones.seconds + 20) == 0
        live = [json.loads(message.payload) for message in messages.all]
    replayed = subprocess.run(
        [*LISTENER, "replay", str(wav), "--bundle", str(tones.bundle.path)],
        check=True,
        capture_output=True,
        text=True,
    )
    offline = [json.loads(line) for line in replayed.stdout.splitlines()]
    ended = [event for event in live if event["phase"] == "end"]
    assert len(ended) == len(offline) == 2
    for event, same in zip(ended, offline, strict=True):
        assert event["label"] == same["label"]
        assert event["duration_seconds"] == pytest.approx(same["offset"] - same["onset"], abs=2e-3)
        assert event["peak_score"] == pytest.approx(same["peak_score"], abs=1e-3)
        assert event["mean_score"] == pytest.approx(same["mean_score"], abs=1e-3)
    assert [event["seq"] for event in live] == [1, 2, 3, 4]


@dataclass(frozen=True)
class Fault:
    """A source that cannot work, and the log line about it."""

    name: str
    source: dict[str, Any]
    line: str


def bad_sources(directory: Path) -> list[Fault]:
    (directory / "empty.wav").touch()
    (directory / "text.wav").write_text("no audio")
    return [
        Fault("missing", {"kind": "file", "path": directory / "none.wav"}, "No such file"),
        Fault("empty", {"kind": "file", "path": directory / "empty.wav"}, "the file is empty"),
        Fault("text", {"kind": "file", "path": directory / "text.wav"}, "expected audio"),
        Fault("nodevice", {"kind": "microphone", "device": "no such device"}, "not found"),
        Fault("refused", {"kind": "stream", "url": f"http://127.0.0.1:{free_port()}/"}, "refused"),
    ]


def test_broken_sources_are_logged_once_and_leave_the_others_alone(
    tones: Programme, broker: Mosquitto, tmp_path: Path
):
    reason = pulse.missing()
    if reason:
        pytest.skip(reason)
    wav = write_wav(tmp_path / "good.wav", tones.samples)
    faults = bad_sources(tmp_path)
    sources = [{"name": fault.name, **fault.source} for fault in faults]
    config = station_config(tones.bundle, broker, [*sources, file_source(wav)])
    with (
        subscribe(broker.port, "earshot/test/#") as messages,
        running_station(tmp_path, config) as station,
    ):
        for label in tones.labels:
            messages.wait_for(starts("good", label), seconds=tones.seconds + 15)
        for fault in faults:
            messages.wait_for_payload(f"earshot/test/{fault.name}/status", "offline")
        assert station.stop() == 0
    for fault in faults:
        lines = [line for line in station.log.splitlines() if f"source {fault.name}: lost" in line]
        assert len(lines) == 1, station.log
        assert fault.line in lines[0]
    assert "Traceback" not in station.log


def test_eight_channels_at_192_khz_and_samples_that_are_not_finite_make_events(
    tones: Programme, broker: Mosquitto, tmp_path: Path
):
    seconds, rate = 4, 192_000
    t = np.arange(seconds * rate) / rate
    wide = np.repeat(0.5 * np.sin(2 * np.pi * LOW_TONE_HZ * t)[:, None], 8, axis=1)
    soundfile.write(tmp_path / "wide.wav", wide, rate, subtype="PCM_24")
    broken = np.concatenate([tone(HIGH_TONE_HZ, 4)] * 2)
    broken[RATE : RATE + 10] = np.nan
    soundfile.write(tmp_path / "broken.wav", broken, RATE, subtype="FLOAT")
    names = ("wide", "broken")
    config = station_config(
        tones.bundle, broker, [file_source(tmp_path / f"{name}.wav") for name in names]
    )
    with (
        subscribe(broker.port, "earshot/test/+/event") as messages,
        running_station(tmp_path, config) as station,
    ):
        messages.wait_for(starts("wide", "low_tone"), seconds=20)
        messages.wait_for(starts("broken", "high_tone"), seconds=20)
        wait_until(
            lambda: metric(config, 'listener_nonfinite_samples_total{source="broken"}') == 10,
            10,
            "10 samples counted",
        )
    assert station.log.count("source broken: samples that are not finite") == 1


def metric(config: dict[str, Any], name: str) -> float | None:
    return rigs.station.metric(config["http"]["port"], name)


def test_a_station_without_its_broker_runs_and_publishes_when_it_comes_up(
    tones: Programme, tmp_path: Path
):
    late = Mosquitto(tmp_path)
    wav = write_wav(tmp_path / "beeps.wav", tones.samples)
    config = station_config(tones.bundle, late, [file_source(wav, at_end="restart")])
    with running_station(tmp_path, config) as station:
        station.wait_for_log(f"mqtt 127.0.0.1:{late.port}: ")
        station.wait_for_log("source beeps: online")
        with late, subscribe(late.port, "earshot/test/#") as messages:
            messages.wait_for_payload("earshot/test/beeps/status", "online", 20)
            messages.wait_for(lambda m: m.topic.endswith("/event"), seconds=30)
    assert station.log.count("Connection refused") == 1


BAD_CONFIGS = {
    "wrong key": ({"sauces": 1}, "sauces: unknown key"),
    "wrong type": ({"engine": {"threads": "many"}}, "engine.threads"),
    "unknown source kind": ({"sources": [{"name": "a", "kind": "telepathy"}]}, "telepathy"),
    "missing bundle": ({"bundle": "nowhere"}, "nowhere: expected a bundle directory"),
    "unknown label": ({"detection": {"labels": ["low_tonne"]}}, "near to it: low_tone"),
    "no host": ({"mqtt": {"host": "a..b"}}, "mqtt.host"),
}


@pytest.mark.parametrize(("change", "line"), BAD_CONFIGS.values(), ids=BAD_CONFIGS)
def test_a_wrong_config_is_one_line_and_exit_code_2(
    change: dict[str, Any], line: str, tones_bundle: Bundle, broker: Mosquitto, tmp_path: Path
):
    wav = write_wav(tmp_path / "a.wav", tone(LOW_TONE_HZ, 1))
    config = station_config(tones_bundle, broker, [file_source(wav)]) | change
    assert_refused(tmp_path, config, line)


def test_a_corrupt_bundle_is_one_line_and_exit_code_2(
    tones_bundle: Bundle, broker: Mosquitto, tmp_path: Path
):
    copy = tmp_path / "corrupt"
    subprocess.run(["cp", "-r", str(tones_bundle.path), str(copy)], check=True)
    model = bytearray((copy / "model.tflite").read_bytes())
    model[len(model) // 2] ^= 1
    (copy / "model.tflite").write_bytes(model)
    wav = write_wav(tmp_path / "a.wav", tone(LOW_TONE_HZ, 1))
    config = station_config(tones_bundle, broker, [file_source(wav)]) | {"bundle": copy}
    assert_refused(tmp_path, config, "expected SHA-256")


def assert_refused(directory: Path, config: dict[str, Any], line: str) -> None:
    with running_station(directory, config) as station:
        assert station.process.wait(20) == 2
    lines = station.log.splitlines()
    assert len(lines) == 1, station.log
    assert lines[0].startswith("listener: ")
    assert line in lines[0]
    assert station.output == ""


def test_a_station_ends_with_its_last_file_and_exits_3_if_one_was_lost(
    tones_bundle: Bundle, broker: Mosquitto, tmp_path: Path
):
    wav = write_wav(tmp_path / "short.wav", tone(LOW_TONE_HZ, 2))
    config = station_config(tones_bundle, broker, [file_source(wav)])
    with running_station(tmp_path, config) as station:
        assert station.process.wait(20) == 0
    config = station_config(
        tones_bundle, broker, [file_source(wav), {**file_source(tmp_path / "gone.wav")}]
    )
    with running_station(tmp_path, config) as station:
        assert station.process.wait(20) == 3


def test_a_litert_station_loads_neither_tensorflow_nor_libraries_that_its_sources_do_not_need(
    tones_bundle: Bundle, broker: Mosquitto, tmp_path: Path
):
    wav = write_wav(tmp_path / "quiet.wav", tone(LOW_TONE_HZ, 3))
    config = station_config(tones_bundle, broker, [file_source(wav, at_end="restart")])
    with running_station(tmp_path, config) as station:
        station.wait_for_log("source quiet: online")
        mapped = Path(f"/proc/{station.process.pid}/maps").read_text()
    assert "ai_edge_litert" in mapped  # imported libraries show up here
    for library in ("site-packages/tensorflow", "site-packages/av", "portaudio", "libav"):
        assert library not in mapped

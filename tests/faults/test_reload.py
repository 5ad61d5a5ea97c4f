"""bad config or bundle on reload: all or nothing, the old one stays, the reason is published."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from listener.cli import run_command
from listener.detection.bundle import MANIFEST_FILE, Bundle, BundleError, read_bundle
from listener.process import ExitCode
from tests.bundles import LOW_TONE_HZ
from tests.rigs.bundle_copies import copy_bundle, point_link
from tests.rigs.commander import ask, command
from tests.rigs.mosquitto import Messages, Mosquitto, free_port, subscribe
from tests.rigs.station import StationProcess, get, running_station

RATE = 16_000
REFUSED = "earshot/test/bundle/refused"
LEVEL = "earshot/test/hall/level"


# --- bundles, while a station runs ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Running:
    """A station that follows the link `models/current`."""

    broker: Mosquitto
    http_port: int
    process: StationProcess
    models: Path
    messages: Messages

    def metrics(self, name: str) -> list[str]:
        lines = get(self.http_port, "/metrics")[1].splitlines()
        return [line for line in lines if line.startswith(name)]


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory, tones_bundle: Bundle) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("station")
    models = folder / "models"
    models.mkdir()
    shutil.copytree(tones_bundle.path, models / "v1")
    (models / "current").symlink_to("v1")
    t = np.arange(4 * RATE) / RATE
    soundfile.write(folder / "hall.wav", 0.5 * np.sin(2 * np.pi * LOW_TONE_HZ * t), RATE)
    with Mosquitto(folder) as broker:
        config: dict[str, Any] = {
            "station": "test",
            "bundle": models / "current",
            "sources": [
                {"name": "hall", "kind": "file", "path": folder / "hall.wav", "at_end": "restart"}
            ],
            "mqtt": {"port": broker.port, "level_interval_seconds": 0.0},
            "http": {"port": free_port()},
            "control": {"mqtt": True},
        }
        with (
            subscribe(broker.port, "earshot/test/#") as messages,
            running_station(folder, config) as process,
        ):
            messages.wait_for_topic("earshot/test/hall/event", seconds=60)
            yield Running(broker, config["http"]["port"], process, models, messages)


def put(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda bundle: (bundle / name).write_bytes(content)


def edit(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def apply(bundle: Path) -> None:
        manifest = json.loads((bundle / MANIFEST_FILE).read_text())
        change(manifest)
        (bundle / MANIFEST_FILE).write_text(json.dumps(manifest))

    return apply


def make_a_pipe(bundle: Path) -> None:
    """Reading it would wait for its writer, for ever."""
    (bundle / "card.md").unlink()
    os.mkfifo(bundle / "card.md")


def link_out(bundle: Path) -> None:
    (bundle / "card.md").unlink()
    (bundle / "card.md").symlink_to("/etc/passwd")


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no manifest": (lambda bundle: (bundle / MANIFEST_FILE).unlink(), "expected a bundle directory"),
    "empty manifest": (put(MANIFEST_FILE, b""), "Invalid JSON"),
    "half a manifest": (put(MANIFEST_FILE, b'{"format": 1, "name": "to'), "Invalid JSON"),
    "bad UTF-8": (put(MANIFEST_FILE, b'{"name": "\xff"}'), "Invalid JSON"),
    "a list": (put(MANIFEST_FILE, b"[]"), "Input should be an object"),
    "deep": (put(MANIFEST_FILE, b"[" * 9000), "recursion limit"),
    "another format": (edit(lambda m: m.update(format=2)), "expected format 1, got 2"),
    "no format": (edit(lambda m: m.pop("format")), "expected format 1, got None"),
    "no labels": (edit(lambda m: m.pop("labels")), "labels: Field required"),
    "unknown key": (edit(lambda m: m.update(run="rm")), "run: Unexpected"),
    "path as name": (edit(lambda m: m.update(name="../x")), "expected 1 to 64 of [a-z0-9_-]"),
    "off over on": (edit(lambda m: m["policies"]["noise"].update(off_threshold=0.9)), "off_threshold"),
    "NaN": (edit(lambda m: m["policies"]["noise"].update(on_threshold=float("nan"))), "threshold"),
    "no hop": (edit(lambda m: m["features"].update(stft_hop_seconds=0.0)), "stft_hop_seconds"),
    "bands for dogs": (edit(lambda m: m["features"].update(mel_max_hz=3900.0)), "golden check"),
    "many bands": (edit(lambda m: m["features"].update(mel_bands=65)), "golden check: the engine failed"),
    "no model": (lambda bundle: (bundle / "model.tflite").unlink(), "though the manifest lists it"),
    "an empty model": (put("model.tflite", b""), "expected SHA-256"),
    "a file outside": (edit(lambda m: m["files"].update({"../v1/card.md": "0"})), "leads out"),
    "NUL in a file": (edit(lambda m: m["files"].update({"a\0b": "0"})), "files: "),
    "a link outside": (link_out, "leads out of the bundle"),
    "a pipe": (make_a_pipe, "card.md: expected a file"),
    "a directory": (edit(lambda m: m["files"].update({".": "0"})), "expected a file"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_bundle_is_refused_the_reason_published_and_the_old_one_stays(
    fault: str, station: Running, tones_bundle: Bundle
):
    damage, reason = BROKEN[fault]
    name = fault.replace(" ", "-")
    damage(copy_bundle(tones_bundle, station.models / name))
    said = refusals(station)
    point_link(station.models / "current", name)
    told = station.messages.wait_for(lambda m: m.topic == REFUSED and bool(m.payload), said + 1, 30)
    assert reason in json.loads(told[-1].payload)["reason"]
    assert_the_old_one_is_at_work(station)


def refusals(station: Running) -> int:
    return len([m for m in station.messages.all if m.topic == REFUSED and m.payload])


def assert_the_old_one_is_at_work(station: Running) -> None:
    heard = len([m for m in station.messages.all if m.topic == LEVEL])
    station.messages.wait_for_topic(LEVEL, heard + 1, 30)
    assert 'version="1"' in station.metrics("listener_bundle_info")[0]
    assert [float(line.split()[-1]) for line in station.metrics("listener_patches_dropped")] == [0]
    bundles = [m for m in station.messages.all if m.topic == "earshot/test/bundle"]
    assert len(bundles) == 1
    assert "Traceback" not in station.process.log


def test_at_least_twenty_and_a_good_one_is_taken_after_them(station: Running, tones_bundle: Bundle):
    assert len(BROKEN) >= 20
    copy_bundle(tones_bundle, station.models / "v2")
    point_link(station.models / "current", "v2")
    station.messages.wait_for(
        lambda m: m.topic == "earshot/test/bundle" and json.loads(m.payload)["version"] == 2,
        seconds=30,
    )
    station.messages.wait_for_payload(REFUSED, "", 30)
    same = {"ok": True, "bundle": "tones@2", "changed": False}
    assert ask(station.broker.port, "reload", command()) == same


def test_one_flipped_bit_in_any_file_is_refused(tones_bundle: Bundle, tmp_path: Path):
    """In the manifest: wherever it changes what is done, and not only how it is written."""
    files = sorted(tones_bundle.manifest.files)
    assert {"model.tflite", "golden.npz", "card.md"} <= set(files)
    for file in files:
        bundle = copy_bundle(tones_bundle, tmp_path / file.replace("/", "-"))
        flip(bundle / file, 8 * ((bundle / file).stat().st_size // 2))
        with pytest.raises(BundleError, match="expected SHA-256"):
            read_bundle(bundle)


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


# Loads a model and runs it, as an engine does that trusts the file.
TRUSTING = """
import sys, numpy
from pathlib import Path
from listener.engines.litert import LiteRTEngine
LiteRTEngine(Path(sys.argv[1]), 1, 1).infer(numpy.zeros((1, 96, 64), numpy.float32))
"""


def test_a_model_with_a_flipped_bit_would_load(tones_bundle: Bundle, tmp_path: Path):
    """The control: LiteRT does not notice, and its scores are whatever they are."""
    model = tmp_path / "model.tflite"
    codes = []
    for part in (0.3, 0.5, 0.7):
        shutil.copy(tones_bundle.model_path, model)
        flip(model, 8 * int(part * model.stat().st_size))
        codes.append(
            subprocess.run([sys.executable, "-c", TRUSTING, model], check=False).returncode
        )
    assert 0 in codes


# --- the config, which is read at the start -------------------------------------------------------------

GOOD = 'station = "test"\nbundle = "v1"\n[[sources]]\nname = "hall"\nkind = "stdin"\n'
BROKEN_CONFIGS = {
    "nothing": "",
    "half a line": "station = ",
    "half a table": GOOD + "[mqtt",
    "twice": GOOD + GOOD,
    "no bundle": '[[sources]]\nname = "hall"\nkind = "stdin"\n',
    "no source": 'bundle = "v1"\n',
    "unknown key": "volume = 11\n" + GOOD,
    "unknown table": GOOD + "[mqqt]\n",
    "path as station": GOOD.replace('"test"', '"../x"'),
    "wildcards": GOOD.replace('"test"', '"+/#"'),
    "path as source": GOOD.replace('"hall"', '"a/b"'),
    "a number as text": GOOD + '[engine]\nthreads = "2"\n',
    "port 0": GOOD + "[mqtt]\nport = 0\n",
    "NaN": GOOD + "[backoff]\nfirst_seconds = nan\n",
    "threshold over 1": GOOD + "[detection.policies.dog]\non_threshold = 2.0\n",
    "password in the config": GOOD + '[mqtt]\npassword = "hunter2"\n',
    "commands without a broker": GOOD + "[control]\nmqtt = true\n",
    "a page for all without a token": GOOD + '[review]\nenabled = true\nhost = "0.0.0.0"\n',
    "a credential that is not there": GOOD + '[mqtt]\npassword_file = "$NOT_HERE/word"\n',
    "deep": GOOD + "x = " + "[" * 5000,
    "a number without end": GOOD + "x = " + "9" * 5000,
    "control characters": GOOD + "x = '\x00'",
}


@pytest.mark.parametrize("fault", BROKEN_CONFIGS)
def test_a_broken_config_is_one_line_and_starts_nothing(
    fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert len(BROKEN_CONFIGS) >= 20
    (tmp_path / "config.toml").write_text(BROKEN_CONFIGS[fault])
    assert run_command(["run", "--config", str(tmp_path / "config.toml")]) == ExitCode.USAGE
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert said.err.startswith(f"listener: {tmp_path}/")
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_a_config_that_broke_meanwhile_does_not_harm_a_running_station(station: Running):
    said = refusals(station)
    (station.models.parent / "config.toml").write_text("station = ")
    station.process.process.send_signal(signal.SIGHUP)
    assert ask(station.broker.port, "reload", command())["ok"]
    heard = len([m for m in station.messages.all if m.topic == LEVEL])
    station.messages.wait_for_topic(LEVEL, heard + 1, 30)
    assert (refusals(station), station.process.process.poll()) == (said, None)

"""One stream's fault stays its own, and the station ends for its named reasons alone."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from listener.detection.bundle import Bundle
from listener.station import EndReason
from tests.bundles import LOW_TONE_HZ
from tests.fuzz.seeds import MEDIA, encode
from tests.listener.test_station import starts, station_config, tone, write_wav
from tests.rigs.http_audio import Page, http_server
from tests.rigs.mosquitto import Mosquitto, free_port, subscribe, wait_until
from tests.rigs.station import LISTENER, get, metric, running_station, write_toml

FAULTY = [sys.executable, "-m", "tests.rigs.faulty_daemon"]
SECONDS = 6.0
MUTANTS = 24


def with_latin_1_title(wav: bytes) -> bytes:
    """The WAV with a title in a LIST chunk, as old programs write it: one byte is no UTF-8."""
    title = b"INAM" + (6).to_bytes(4, "little") + "K\u00fcche".encode("latin-1") + b"\0"
    chunk = b"LIST" + (4 + len(title)).to_bytes(4, "little") + b"INFO" + title
    size = int.from_bytes(wav[4:8], "little") + len(chunk)
    return wav[:4] + size.to_bytes(4, "little") + wav[8:12] + chunk + wav[12:]


def latin_1_file(directory: Path) -> Path:
    path = write_wav(directory / "latin.wav", tone(LOW_TONE_HZ, SECONDS))
    path.write_bytes(with_latin_1_title(path.read_bytes()))
    return path


def wide_file(directory: Path) -> Path:
    path = directory / "wide.wav"
    path.write_bytes(encode("wav", "pcm_s64le", seconds=SECONDS, hz=LOW_TONE_HZ))
    return path


def mutant(number: int) -> bytes:
    """A media file with a few bytes changed, the same for the same number."""
    chance = random.Random(number)
    content = bytearray(encode(*MEDIA[number % len(MEDIA)]))
    for _ in range(chance.randint(1, 8)):
        content[chance.randrange(min(len(content), 400))] = chance.randrange(256)
    return bytes(content)


def test_streams_of_every_odd_kind_play_or_are_lost_and_the_good_one_misses_nothing(
    tones_bundle: Bundle, tmp_path: Path
):
    """A title in Latin-1, from a file and over HTTP, 64-bit samples, and media files with flipped bytes."""
    latin, wide = latin_1_file(tmp_path), wide_file(tmp_path)
    good = write_wav(tmp_path / "good.wav", tone(LOW_TONE_HZ, 2 * SECONDS))
    for number in range(MUTANTS):
        (tmp_path / f"mutant{number}").write_bytes(mutant(number))
    with (
        http_server({"/latin.wav": Page(latin.read_bytes())}) as http,
        Mosquitto(tmp_path) as broker,
        subscribe(broker.port, "earshot/#") as messages,
    ):
        urls = {
            "latin": latin,
            "radio": f"http://{http}/latin.wav",
            "wide": wide,
        }
        urls |= {f"mutant{number}": tmp_path / f"mutant{number}" for number in range(MUTANTS)}
        streams = [
            {"name": name, "kind": "stream", "url": str(url), "at_end": "stop"}
            for name, url in urls.items()
        ]
        config = station_config(
            tones_bundle, broker, [*streams, {"name": "good", "kind": "file", "path": good}]
        )
        with running_station(tmp_path, config) as station:
            for name in ("latin", "radio", "wide", "good"):
                messages.wait_for(starts(name, "low_tone"), seconds=60)
            assert station.process.wait(60) in (0, 3)  # 3: some of the mutants were lost
        levels = [m for m in messages.all if m.topic == "earshot/test/good/level"]
    assert len(levels) >= (2 * SECONDS - 0.96) / 0.48
    assert EndReason.SOURCES.value in station.log
    assert "unexpected error" not in station.log
    assert "Traceback" not in station.log


def test_a_bare_reader_fails_at_the_title_and_at_wide_samples(tmp_path: Path):
    """The control: neither is an error of FFmpeg's."""
    with pytest.raises(UnicodeDecodeError):
        av.open(str(latin_1_file(tmp_path)))
    with av.open(str(wide_file(tmp_path))) as file, pytest.raises(ValueError, match="s64"):
        next(file.decode(audio=0)).to_ndarray()


def looped_config(directory: Path, bundle: Bundle, at_end: str = "restart") -> dict[str, Any]:
    path = write_wav(directory / "hall.wav", np.tile(tone(LOW_TONE_HZ, 1), 2))
    source = {"name": "hall", "kind": "file", "path": path, "at_end": at_end}
    return {"bundle": bundle.path, "sources": [source], "http": {"port": free_port()}}


def test_a_part_of_the_main_loop_that_fails_stops_nothing(tmp_path: Path, tones_bundle: Bundle):
    config = looped_config(tmp_path, tones_bundle)
    port, path = config["http"]["port"], write_toml(tmp_path / "config.toml", config)
    with (tmp_path / "stderr").open("wb") as log:
        process = subprocess.Popen([*FAULTY, str(path), "part"], stderr=log)
    try:
        wait_until(lambda: "online" in (tmp_path / "stderr").read_text(), 60, "it runs")
        wait_until(
            lambda: (metric(port, 'listener_faults_total{part="rig"}') or 0) > 3, 60, "it fails"
        )
        patches = metric(port, "listener_patches_total") or 0
        wait_until(lambda: (metric(port, "listener_patches_total") or 0) > patches + 2, 20, "audio")
        assert get(port, "/healthz")[0] == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
    text = (tmp_path / "stderr").read_text()
    assert text.count("KeyError: ") == 1  # once an episode, with its traceback
    assert text.count("Traceback") == 1


@pytest.mark.parametrize(
    ("reason", "code"),
    [(EndReason.STOP, 0), (EndReason.SOURCES, 0), (EndReason.ANALYSIS, 3)],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_station_ends_for_a_named_reason_and_says_it(
    reason: EndReason, code: int, tmp_path: Path, tones_bundle: Bundle
):
    at_end = "stop" if reason is EndReason.SOURCES else "restart"
    path = write_toml(tmp_path / "config.toml", looped_config(tmp_path, tones_bundle, at_end))
    start = [*LISTENER, "run", "--config", str(path)]
    if reason is EndReason.ANALYSIS:
        start = [*FAULTY, str(path), "engine"]
    with (tmp_path / "stderr").open("wb") as log:
        process = subprocess.Popen(start, stderr=log)
    try:
        if reason is EndReason.STOP:
            wait_until(
                lambda: "source hall: online" in (tmp_path / "stderr").read_text(), 60, "online"
            )
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) == code
    finally:
        process.kill()
        process.wait()
    assert f"the station ends: {reason.value}" in (tmp_path / "stderr").read_text()


def test_each_reason_has_its_test():
    tested = {EndReason.STOP, EndReason.SOURCES, EndReason.ANALYSIS}
    assert tested == set(EndReason)

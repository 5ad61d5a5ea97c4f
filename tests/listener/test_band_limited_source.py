"""A telephone codec is seen by a station and by `listener check`; full audio is not taken for one."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

from listener.detection.audio import Samples
from listener.detection.bundle import Bundle
from tests.listener.commands.program import run_listener
from tests.listener.detection.waveforms import RATE_HZ, noise
from tests.listener.scenes import write_sound
from tests.rigs.mosquitto import Mosquitto, free_port, subscribe, wait_until
from tests.rigs.station import get, metric, running_station, write_toml

CODECS = {"ulaw": "pcm_mulaw", "alaw": "pcm_alaw"}
SECONDS = 24


def encode(path: Path, codec: str, samples: Samples) -> Path:
    """What a G.711 camera hears of it: resampled to 8 kHz, then 8 bits a sample, by FFmpeg."""
    pcm = (samples * 32_767).astype(np.int16)[np.newaxis]
    frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
    frame.sample_rate = RATE_HZ
    resampler = av.AudioResampler(format="s16", layout="mono", rate=8_000)
    with av.open(str(path), "w", format="wav") as container:
        stream = container.add_stream(codec, rate=8_000)
        stream.layout = "mono"
        for narrow in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(narrow))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same noise in each codec, and as it is."""
    folder, samples = tmp_path_factory.mktemp("sounds"), noise(SECONDS * RATE_HZ)
    coded = {name: encode(folder / f"{name}.wav", codec, samples) for name, codec in CODECS.items()}
    return coded | {"full": write_sound(folder / "full.wav", samples)}


def sources(sounds: dict[str, Path]) -> list[dict[str, object]]:
    """Each file over and over, as fast as it can be analysed."""
    played = {"kind": "file", "pace": "fast", "at_end": "restart"}
    return [{"name": name, "path": path, **played} for name, path in sounds.items()]


def test_a_station_says_that_a_g711_source_has_nothing_above_4_khz(
    sounds: dict[str, Path], tones_bundle: Bundle, tmp_path: Path
):
    port = free_port()
    with Mosquitto(tmp_path) as broker:
        config = {
            "station": "test",
            "bundle": tones_bundle.path,
            "sources": sources(sounds),
            "mqtt": {"port": broker.port},
            "http": {"port": port},
        }
        with (
            subscribe(broker.port, "earshot/test/+/bandwidth") as messages,
            running_station(tmp_path, config) as station,
        ):
            for name in CODECS:
                station.wait_for_log(f"source {name}: nothing above ")
                documents = messages.wait_for_topic(f"earshot/test/{name}/bandwidth", 2)
                unknown, limited = (json.loads(each.payload)["bandwidth_hz"] for each in documents)
                assert unknown is None
                assert 3_400 <= limited <= 4_100
                gauge = f'listener_source_bandwidth_hz{{source="{name}"}}'
                assert metric(port, gauge) == limited
            patches = 'listener_patches_total{source="full"}'
            wait_until(lambda: (metric(port, patches) or 0) > 2 * SECONDS, 20, "the full source")
            assert 'bandwidth_hz{source="full"}' not in get(port, "/metrics")[1]
            assert "source full: nothing above" not in station.log
            (full,) = messages.wait_for_topic("earshot/test/full/bandwidth")
            assert json.loads(full.payload)["bandwidth_hz"] is None


def test_the_check_says_so_too_with_advice(
    sounds: dict[str, Path], tones_bundle: Bundle, tmp_path: Path
):
    resampled = encode(tmp_path / "camera.wav", "pcm_alaw", noise(SECONDS * RATE_HZ))
    with av.open(str(resampled)) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
        frames = [f for each in container.decode(audio=0) for f in resampler.resample(each)]
    pcm = np.concatenate([frame.to_ndarray().ravel() for frame in frames])
    played = sounds | {"camera": write_sound(tmp_path / "at16.wav", pcm)}
    config = {"bundle": tones_bundle.path, "sources": sources(played), "http": {"port": 0}}
    done = run_listener("check", "--config", write_toml(tmp_path / "config.toml", config))
    rows = {line.split("│")[1].strip(): line for line in done.stdout.splitlines() if "│" in line}
    assert done.returncode == 0
    assert "8000 Hz" in rows["source ulaw"]
    assert "16000 Hz" in rows["source camera"]
    for name in (*CODECS, "camera"):
        assert "nothing above" in rows[f"source {name}"]
        assert "let it send 16 kHz" in rows[f"source {name}"]
    assert "nothing above" not in rows["source full"]

"""Non-finite, silent, clipped audio: "zeroed and counted; `silent` / `clipping` status".

Files with these faults in them are played through the real daemon at once.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from listener.detection.audio import Samples
from listener.detection.bundle import Bundle
from listener.detection.features import log_mel_patches
from listener.detection.params import FeatureParams
from tests.bundles import HIGH_TONE_HZ, LOW_TONE_HZ
from tests.listener.test_station import RATE, file_source, metric, starts, station_config, tone
from tests.rigs.mosquitto import Mosquitto, subscribe, wait_until
from tests.rigs.station import get, running_station

WAIT_SECONDS = 40.0


def silence(seconds: float) -> Samples:
    return np.zeros(int(seconds * RATE), np.float32)


def broken() -> Samples:
    """A tone with samples in it that are no numbers, and one that is none of this world."""
    samples = np.concatenate([tone(HIGH_TONE_HZ, 4)] * 3)
    samples[RATE : RATE + 10] = np.nan
    samples[2 * RATE] = -np.inf
    samples[3 * RATE] = 3e38
    return samples


def muted() -> Samples:
    """Muted for a while; then what a microphone with a little noise of its own gives."""
    quiet = np.random.default_rng(1).normal(0.0, 1e-3, 2 * RATE).astype(np.float32)
    return np.concatenate([quiet, silence(6.0), quiet, quiet])


def too_loud() -> Samples:
    """Four times as loud as it should be, cut off at full scale; then as it should be."""
    return np.concatenate([np.clip(8 * tone(LOW_TONE_HZ, 5), -1.0, 1.0), tone(LOW_TONE_HZ, 5)])


def test_samples_that_hear_nothing_are_seen_and_do_not_make_the_station_deaf(
    tones_bundle: Bundle, tmp_path: Path
) -> None:
    recordings = {"broken": broken(), "muted": muted(), "loud": too_loud()}
    for name, samples in recordings.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE, subtype="FLOAT")
    with Mosquitto(tmp_path) as broker, subscribe(broker.port, "earshot/test/#") as messages:
        sources = [file_source(tmp_path / f"{name}.wav", at_end="restart") for name in recordings]
        limits = {"silent_after_seconds": 2.0, "clipping_after_seconds": 2.0}
        config = station_config(tones_bundle, broker, sources, condition=limits)
        port = config["http"]["port"]
        with running_station(tmp_path, config) as station:
            messages.wait_for_payload("earshot/test/muted/status", "silent", WAIT_SECONDS)
            wait_until(lambda: "source muted: silent" in get(port, "/readyz")[1], 10, "not ready")
            assert metric(config, 'listener_source_up{source="muted"}') == 1
            messages.wait_for_payload("earshot/test/loud/status", "clipping", WAIT_SECONDS)
            for name in ("muted", "loud"):
                topic = f"earshot/test/{name}/status"
                said = messages.wait_for_topic(topic, 4, WAIT_SECONDS)
                kind = {"muted": "silent", "loud": "clipping"}[name]
                assert [m.payload for m in said[:4]] == ["offline", "online", kind, "online"]
            messages.wait_for(starts("broken", "high_tone"), seconds=WAIT_SECONDS)
            messages.wait_for(starts("loud", "low_tone"), seconds=WAIT_SECONDS)
            zeroed = 'listener_nonfinite_samples_total{source="broken"}'
            wait_until(lambda: (metric(config, zeroed) or 0) >= 12, 20, "12 samples counted")
            assert station.stop() == 0
    assert station.log.count("source broken: samples that are not finite") == 1
    assert "source muted: silent: nothing over -90 dBFS for 2 s" in station.log
    assert "Traceback" not in station.log


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_such_sample_makes_a_whole_patch_no_number(bad: float) -> None:
    """The negative control: what the model would get to see."""
    samples = tone(HIGH_TONE_HZ, 1)
    assert np.isfinite(log_mel_patches(samples, FeatureParams())).all()
    samples[RATE // 2] = bad
    with np.errstate(invalid="ignore"):
        assert not np.isfinite(log_mel_patches(samples, FeatureParams())).all()

"""A real station stores clips with the right samples and times, and none that are private."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from listener.clips.store import ClipStore
from listener.config.station import ClipsSettings
from listener.detection.bundle import Bundle
from listener.detection.clip import ClipRecord
from listener.detection.clip_files import read_audio
from tests.listener.detection.waveforms import RATE_HZ, silence
from tests.listener.scenes import TOLERANCE_SECONDS, TRUTH, two_tones, write_sound
from tests.rigs.mosquitto import free_port, wait_until
from tests.rigs.station import metric, running_station

PRE_SECONDS, POST_SECONDS = 1.5, 0.75


def station_config(bundle: Bundle, source: dict[str, Any], **clips: Any) -> dict[str, Any]:
    defaults = {
        "enabled": True,
        "pre_seconds": PRE_SECONDS,
        "post_seconds": POST_SECONDS,
        "near_misses_per_hour": 0.0,
        "ambient_per_hour": 0.0,
    }
    return {
        "station": "test",
        "bundle": bundle.path,
        "sources": [{"name": "hall", "kind": "file", **source}],
        "http": {"port": free_port()},
        "console": {"format": "jsonl"},
        "clips": defaults | clips,
    }


def open_clips(directory: Path) -> ClipStore:
    """The store that the station left."""
    return ClipStore(ClipsSettings(directory=directory / "clips"), ("low_tone", "high_tone"))


def stored(directory: Path) -> list[ClipRecord]:
    """Its clips in the order of their times."""
    with closing(open_clips(directory)) as store:
        return sorted(store.find(), key=lambda record: record.captured_at)


def play(directory: Path, config: dict[str, Any]) -> list[dict[str, Any]]:
    """Run a station to the end of its file; the events on its console."""
    with running_station(directory, config) as station:
        assert station.process.wait(30) == 0, station.log
        assert "Traceback" not in station.log
        return [json.loads(line) for line in station.output.splitlines()]


def test_clips_hold_the_samples_of_their_times_bit_for_bit(tones_bundle: Bundle, tmp_path: Path):
    samples = np.concatenate([two_tones(), silence(2.0)])
    wav = write_sound(tmp_path / "scene.wav", samples)  # in floats; stored samples are rounded
    events = play(tmp_path, station_config(tones_bundle, {"path": wav, "pace": "fast"}))
    records = stored(tmp_path)
    assert [record.label for record in records] == [label for label, _, _ in TRUTH]
    assert {event["clip"] for event in events} == {record.id for record in records}
    rounded = np.round(samples * 32_768) / 32_768
    for record, (label, onset, offset) in zip(records, TRUTH, strict=True):
        start = round(record.captured_at * RATE_HZ)
        found, _ = read_audio(record)
        assert len(found) == round(record.seconds * RATE_HZ)
        assert np.array_equal(found, rounded[start : start + len(found)])
        event = next(e for e in events if e["clip"] == record.id and e["phase"] == "end")
        assert (event["id"], event["label"]) == (record.id, label)
        assert record.event is not None
        assert record.event.offset is not None
        began, ended = record.event.onset - PRE_SECONDS, record.event.offset + POST_SECONDS
        assert record.captured_at == pytest.approx(max(0.0, began), abs=1e-4)
        assert record.captured_at + record.seconds == pytest.approx(ended, abs=1e-4)
        (span,) = record.labels
        assert record.captured_at + span.onset == pytest.approx(onset, abs=TOLERANCE_SECONDS)
        assert record.captured_at + span.offset == pytest.approx(offset, abs=TOLERANCE_SECONDS)
        with closing(open_clips(tmp_path)) as store:
            analysis = store.analysis(record.id)
        assert analysis.labels == ("low_tone", "high_tone", "noise")
        loud = analysis.boundaries[:-1][analysis.scores[:, analysis.labels.index(label)] > 0.5]
        assert loud.min() == pytest.approx(span.onset, abs=TOLERANCE_SECONDS)
        assert analysis.embeddings.shape == (len(analysis.scores), 64)


def test_labels_that_are_private_keep_no_audio(tones_bundle: Bundle, tmp_path: Path):
    wav = write_sound(tmp_path / "scene.wav", np.concatenate([two_tones(), silence(2.0)]))
    config = station_config(
        tones_bundle,
        {"path": wav, "pace": "fast"},
        private_labels=["low_tone"],
        near_misses_per_hour=3600.0,
        ambient_per_hour=720.0,
    )
    events = play(tmp_path, config)
    assert {event["label"] for event in events if event["clip"]} == {"high_tone"}
    assert {event["label"] for event in events if not event["clip"]} == {"low_tone"}
    records = stored(tmp_path)
    assert "high_tone" in {record.label for record in records}
    assert "low_tone" not in {record.label for record in records}


def test_an_unknown_private_label_is_an_error(tones_bundle: Bundle, tmp_path: Path):
    wav = write_sound(tmp_path / "scene.wav", silence(1.0))
    config = station_config(tones_bundle, {"path": wav}, private_labels=["low_tonne"])
    with running_station(tmp_path, config) as station:
        assert station.process.wait(20) == 2
    assert "clips.private_labels: tones@1 has no label 'low_tonne'" in station.log


def test_a_live_clip_has_wall_clock_time_and_is_counted(tones_bundle: Bundle, tmp_path: Path):
    wav = write_sound(tmp_path / "scene.wav", two_tones())
    config = station_config(tones_bundle, {"path": wav, "at_end": "restart"})
    began = time.time()
    with running_station(tmp_path, config) as station:
        port = config["http"]["port"]
        station.wait_for_log("source hall: online")
        wait_until(lambda: (metric(port, "listener_clips_stored") or 0) >= 1, 20, "a clip")
        size = metric(port, "listener_clips_bytes") or 0
        ended = time.time()
        assert station.stop() == 0
    records = stored(tmp_path)
    assert began - 1.0 < records[0].captured_at < ended
    assert size >= sum(path.stat().st_size for path in [records[0].path])
    first = records[0]
    assert first.path.parent == tmp_path / "clips" / time.strftime(
        "%Y/%m/%d", time.gmtime(first.captured_at + PRE_SECONDS)
    )


def test_without_clips_nothing_is_kept(tones_bundle: Bundle, tmp_path: Path):
    wav = write_sound(tmp_path / "scene.wav", two_tones())
    config = station_config(tones_bundle, {"path": wav, "pace": "fast"}, enabled=False)
    events = play(tmp_path, config)
    assert {event["clip"] for event in events} == {None}
    assert not (tmp_path / "clips").exists()

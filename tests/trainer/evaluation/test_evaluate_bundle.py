"""A bundle whose answers are known, judged on tones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from listener.detection.bundle import Bundle
from listener.detection.clip import LabelSpan
from trainer.data.clips import Clip, ClipTable
from trainer.errors import DataError
from trainer.evaluation.evaluate_bundle import evaluate_bundle
from trainer.evaluation.scoring import open_scorer, score_file
from trainer.evaluation.selection import check_unseen, digest_files, paths_of
from trainer.provenance import to_document

RATE_HZ = 16_000
CLASSES = ("High tone", "low_tone")  # a name for people and a slug


def tone(hz: float, seconds: float):
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)


def write(path: Path, *parts: tuple[float, float]) -> Path:
    """Tones of so many hertz and seconds, one after the other; 0 Hz is silence."""
    samples = np.concatenate([tone(hz, seconds) for hz, seconds in parts])
    soundfile.write(path, samples.astype(np.float32), RATE_HZ, subtype="FLOAT")
    return path


def clip(path: Path, label: str, *spans: LabelSpan) -> Clip:
    return Clip(path, frozenset({label}), path.stem, 1, spans=spans, exhaustive=True)


@pytest.fixture
def table(tmp_path: Path) -> ClipTable:
    """Two low tones, one of them called a high one, and a high tone from second 2 to 5 of 8."""
    span = LabelSpan("High tone", 2.0, 5.0)
    clips = (
        clip(write(tmp_path / "low.wav", (500, 2.0)), "low_tone"),
        clip(write(tmp_path / "wrong.wav", (500, 2.5)), "High tone"),
        clip(write(tmp_path / "high.wav", (0, 2.0), (3000, 3.0), (0, 3.0)), "High tone", span),
    )
    return ClipTable(clips, CLASSES)


def test_clips_patches_and_events(tones_bundle: Bundle, table: ClipTable):
    found = evaluate_bundle(tones_bundle, table, robust=False)
    assert found.bundle == "tones@1"
    assert found.labels == ("low_tone", "high_tone")
    assert found.clip.accuracy == pytest.approx(2 / 3)
    assert found.clip.confusion == ((1, 0), (1, 1))
    assert found.patch.clips == 4 + 5 + 16
    assert found.events is not None
    assert (found.events.files, found.events.events) == (1, 1)
    assert found.events.collar[0.5].macro_f1 == 1.0
    assert found.events.psds1 == 1.0
    assert (found.robustness, found.ambient, found.quarantined) == ((), None, ())


def test_background_clips_count(tones_bundle: Bundle, table: ClipTable, tmp_path: Path):
    """Silence is right; a low tone that nobody labelled is a false event in 2 s."""
    quiet, hum = (
        Clip(write(tmp_path / f"{name}.wav", (hz, 2.0)), frozenset(), name, 1, exhaustive=True)
        for name, hz in (("quiet", 0), ("hum", 500))
    )
    clips = (*table.clips[:1], quiet, hum)
    found = evaluate_bundle(tones_bundle, replace(table, clips=clips), robust=True)
    assert (found.clip.judged, found.clip.backgrounds) == (3, 2)
    assert found.clip.accuracy == pytest.approx(2 / 3)
    clean = next(each for each in found.robustness if each.condition == "clean")
    assert clean.accuracy == found.clip.accuracy
    station = found.station
    assert (station.clips, station.backgrounds) == (3, 2)
    assert (station.heard, station.sounds) == (1, 1)
    assert station.false_alarms is not None
    assert station.false_alarms.alarms == 1
    assert station.hours == pytest.approx(6.0 / 3600)


def test_noise_reverb_gain_and_bandwidth(tones_bundle: Bundle, table: ClipTable):
    found = evaluate_bundle(tones_bundle, table.in_folds(1), robust=True)
    results = {(each.condition, each.strength): each for each in found.robustness}
    assert results["clean", None].accuracy == found.clip.accuracy
    assert results["gain", -10.0].accuracy == found.clip.accuracy
    assert results["low-pass", 3_400.0].accuracy == found.clip.accuracy  # its tones are lower
    assert len(results) == 19


def test_ambient_audio(tones_bundle: Bundle, table: ClipTable):
    scorer = open_scorer(tones_bundle)
    samples = np.concatenate([tone(0, 20.0), tone(500, 3.0), tone(0, 13.0)]).astype(np.float32)
    found = evaluate_bundle(
        tones_bundle, table, ambient=[score_file(scorer, samples)], robust=False
    )
    assert found.ambient is not None
    assert found.ambient.total.alarms == 1
    assert found.ambient.total.per_hour == pytest.approx(100)
    assert found.ambient.labels["low_tone"].alarms == 1


def test_the_evaluation_is_json(tones_bundle: Bundle, table: ClipTable):
    found = evaluate_bundle(tones_bundle, table, robust=False)
    document = json.loads(json.dumps(to_document(found)))
    assert document["clip"]["accuracy"] == pytest.approx(2 / 3)
    assert document["events"]["collar"]["0.5"]["counts"]["high_tone"]["f1"] == 1.0
    assert document["noise"][0]["sound"] == "silence"


def test_clips_that_cannot_be_read_are_listed(
    tones_bundle: Bundle, table: ClipTable, tmp_path: Path
):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no audio")
    clips = (*table.clips, clip(broken, "low_tone"))
    found = evaluate_bundle(tones_bundle, replace(table, clips=clips), robust=False)
    assert [each.path for each in found.quarantined] == [broken]
    assert found.clip.clips == 3
    with pytest.raises(DataError, match="expected clips that can be read, got none of 1"):
        evaluate_bundle(tones_bundle, replace(table, clips=clips[-1:]), robust=False)


def test_progress_is_reported(tones_bundle: Bundle, table: ClipTable):
    steps: list[tuple[int, int]] = []
    evaluate_bundle(
        tones_bundle, table, robust=False, progress=lambda done, all_: steps.append((done, all_))
    )
    assert steps == [(1, 3), (2, 3), (3, 3)]


def trained_on(bundle: Bundle, table: ClipTable) -> Bundle:
    provenance = {"training_files": digest_files(paths_of(table))}
    return replace(bundle, manifest=replace(bundle.manifest, provenance=provenance))


def test_clips_of_the_training_are_refused(tones_bundle: Bundle, table: ClipTable):
    trained = trained_on(tones_bundle, replace(table, clips=table.clips[:1]))
    with pytest.raises(
        DataError, match=r"tones@1 was trained on 1 of 3 files, .*low.wav the first"
    ):
        evaluate_bundle(trained, table)
    check_unseen(trained, paths_of(table) - {table.clips[0].path})
    evaluate_bundle(trained, table, allow_seen=True, robust=False)


def test_a_copy_under_another_name_is_recognised(
    tones_bundle: Bundle, table: ClipTable, tmp_path: Path
):
    trained = trained_on(tones_bundle, table)
    copy = tmp_path / "copy.wav"
    copy.write_bytes(table.clips[0].path.read_bytes())
    with pytest.raises(DataError, match="expected audio that it never saw"):
        check_unseen(trained, [copy])

"""Alarms in noise and ambient audio, with a bundle whose answers are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from listener.detection.bundle import Bundle
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy
from tests.bundles import make_manifest
from tests.trainer.report.tones import write_quiet
from trainer.errors import DataError
from trainer.evaluation.false_alarms import (
    NOISE_CLASSES,
    ambient_alarms,
    ambient_files,
    noise_alarms,
    noise_classes_of,
    score_ambient,
    score_generated_ambient,
)
from trainer.evaluation.scored_file import ScoredFile
from trainer.evaluation.scoring import PatchScorer, open_scorer, score_file
from trainer.model.yamnet import read_class_map

POLICY = LabelPolicy(0.5, 0.5, 0.0)


def test_noise_raises_the_label_of_noise_and_no_other(tones_bundle: Bundle):
    """The bundle scores noise low at -60 dBFS (0.001) and high at -40 dBFS (0.01)."""
    scorer = open_scorer(tones_bundle)
    found = noise_alarms(scorer, tones_bundle.manifest.policies, seconds=5.0)
    assert [(each.sound, each.level_dbfs) for each in found][:4] == [
        ("silence", -120.0),
        ("white noise", -60.0),
        ("white noise", -40.0),
        ("white noise", -20.0),
    ]
    assert [dict(each.events) for each in found[:4]] == [{}, {}, {"noise": 1}, {"noise": 1}]
    assert len(found) == 1 + 3 * 3


def test_labels_that_are_right_in_noise_are_ignored(tones_bundle: Bundle):
    scorer = open_scorer(tones_bundle)
    policies = tones_bundle.manifest.policies
    found = noise_alarms(scorer, policies, seconds=5.0, ignored={"noise"})
    assert [dict(each.events) for each in found[:4]] == [{}] * 4


def test_ambient_alarms_are_counted_by_label():
    """Half an hour; two events of a, one of b."""
    scores = np.zeros((1800, 2), np.float32)
    scores[[10, 11, 500], 0] = 0.9
    scores[20, 1] = 0.6
    file = ScoredFile("x", scores, np.arange(1801, dtype=np.float64))
    found = ambient_alarms([file], {"a": POLICY, "b": POLICY}, 1.0)
    assert (found.total.alarms, found.total.hours, found.total.per_hour) == (3, 0.5, 6.0)
    assert {label: rate.alarms for label, rate in found.labels.items()} == {"a": 2, "b": 1}


def test_scores_and_slots_of_a_waveform(tones_bundle: Bundle):
    time = np.arange(48_000) / 16_000
    tone = (0.5 * np.sin(2 * np.pi * 500 * time)).astype(np.float32)
    file = score_file(open_scorer(tones_bundle), tone, "tone.wav")
    assert file.scores.shape == (6, 3)
    assert (file.scores[:5].argmax(axis=1) == 0).all()
    assert (file.boundaries[0], file.boundaries[-1]) == (0.0, 3.0)
    assert file.seconds == pytest.approx(3.0)


def test_files_and_folders_of_them(tmp_path: Path):
    lone = write_quiet(tmp_path / "lone.wav", 1.0)
    deep = write_quiet(tmp_path / "hall" / "night" / "a.wav", 1.0)
    assert ambient_files([tmp_path / "hall", lone]) == [deep, lone]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="expected a folder with audio, found none"):
        ambient_files([tmp_path / "empty"])


def test_long_files_come_in_pieces(tones_bundle: Bundle, tmp_path: Path):
    steps: list[tuple[int, int]] = []
    file = write_quiet(tmp_path / "hall.wav", 10.0, 5.0)
    pieces = score_ambient(open_scorer(tones_bundle), [file], lambda *step: steps.append(step), 4.0)
    assert [piece.seconds for piece in pieces] == pytest.approx([4.0, 4.0, 2.0])
    assert [piece.scores[:, 0].max() > 0.5 for piece in pieces] == [False, True, False]
    assert steps == [(1, 1)]


def test_a_missing_file_and_one_without_audio_are_refused(tones_bundle: Bundle, tmp_path: Path):
    with pytest.raises(DataError, match=r"none.wav: expected a file or folder, found nothing"):
        ambient_files([tmp_path / "none.wav"])
    (tmp_path / "text.wav").write_text("no audio")
    with pytest.raises(DataError, match=r"text\.wav"):
        score_ambient(open_scorer(tones_bundle), [tmp_path / "text.wav"])


def test_generated_minutes_are_the_same_for_a_seed(tones_bundle: Bundle):
    scorer = open_scorer(tones_bundle)
    first, second = (score_generated_ambient(scorer, 1.5, seed=3) for _ in range(2))
    assert sum(piece.seconds for piece in first) == pytest.approx(90.0)
    np.testing.assert_array_equal(first[1].scores, second[1].scores)


def test_a_model_of_another_rate_cannot_hear_what_is_generated(tones_bundle: Bundle):
    scorer = open_scorer(tones_bundle)
    slower = replace(FeatureParams(), sample_rate_hz=8000, fft_length=256, mel_max_hz=3800.0)
    with pytest.raises(DataError, match="expected a model at 16000 Hz, got one at 8000 Hz"):
        score_generated_ambient(PatchScorer(slower, scorer.infer), 1.0)


WATER, WHITE_NOISE = "/m/0838f", "/m/0chx_"


def bundle_of(tones_bundle: Bundle, *mids: str) -> Bundle:
    manifest = make_manifest(tones_bundle.manifest.features)
    return Bundle(tones_bundle.path, replace(manifest, provenance={"audioset_mids": list(mids)}))


def test_a_label_is_what_its_id_says(tones_bundle: Bundle):
    assert noise_classes_of(bundle_of(tones_bundle, WATER, WHITE_NOISE)) == {"high_tone"}


def test_a_label_that_was_added_has_no_id(tones_bundle: Bundle):
    """Its third one is called noise."""
    assert noise_classes_of(bundle_of(tones_bundle, WATER, WATER)) == set()
    assert noise_classes_of(tones_bundle) == set()


def test_the_table_has_audiosets_own_names(shared: Path):
    known = {each.mid: each.name for each in read_class_map(shared / "models" / "yamnet")}
    assert {mid: known[mid] for mid in NOISE_CLASSES} == NOISE_CLASSES

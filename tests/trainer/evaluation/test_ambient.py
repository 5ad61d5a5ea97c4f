"""Ambient audio, recorded and generated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from listener.detection.bundle import Bundle
from listener.detection.params import FeatureParams
from tests.trainer.report.tones import write_quiet
from trainer.errors import DataError
from trainer.evaluation.ambient import ambient_files, score_ambient, score_generated_ambient
from trainer.evaluation.scoring import PatchScorer, open_scorer


def test_files_and_folders_of_them(tmp_path: Path):
    lone = write_quiet(tmp_path / "lone.wav", 1.0)
    deep = write_quiet(tmp_path / "hall" / "night" / "a.wav", 1.0)
    assert ambient_files([tmp_path / "hall", lone]) == [deep, lone]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="expected a folder with audio, found none"):
        ambient_files([tmp_path / "empty"])


def test_long_files_come_in_pieces(tones_bundle: Bundle, tmp_path: Path):
    told: list[tuple[int, int]] = []
    file = write_quiet(tmp_path / "hall.wav", 10.0, 5.0)
    pieces = score_ambient(open_scorer(tones_bundle), [file], lambda *step: told.append(step), 4.0)
    assert [piece.seconds for piece in pieces] == pytest.approx([4.0, 4.0, 2.0])
    assert [piece.scores[:, 0].max() > 0.5 for piece in pieces] == [False, True, False]
    assert told == [(1, 1)]


def test_what_is_not_there_or_no_audio_is_told(tones_bundle: Bundle, tmp_path: Path):
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

"""Clips of new labels are scored by heads that were not trained on their recordings."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from listener.detection.bundle import Bundle
from listener.detection.clip import LabelSpan
from tests.trainer.retraining.conftest import SECONDS
from tests.trainer.stores import StoreWriter, said
from tests.trainer.training.tones import tone
from trainer.data.clips import Clip
from trainer.retraining.cross_validation import cross_validated_scores, make_folds
from trainer.retraining.training_set import read_correction_data

OTHER_HZ = 6000.0


def clip(label: str, group: str) -> Clip:
    return Clip(Path(f"{label}-{group}"), frozenset({label}), group, 0)


def test_a_recording_is_never_split():
    groups = ["a", "b", "a", "c", "d", "e", "f", "f"]
    clips = [clip("dog", "a"), *(clip("owl", group) for group in groups)]
    folds = make_folds(clips, ["owl"])
    assert folds.tolist() == [-1, 0, 1, 0, 2, 3, 4, 0, 0]


def test_few_recordings_are_split_by_clip():
    clips = [clip("owl", group) for group in "aaabbcd"]
    assert make_folds(clips, ["owl"]).tolist() == [0, 1, 2, 3, 4, 0, 1]


@pytest.fixture
def store(store: Path, tmp_path: Path) -> Path:
    """The station's clips, and one more that is labelled a middle tone and sounds quite different."""
    writer = StoreWriter(Path(shutil.copytree(store, tmp_path / "clips")), source="yard")
    odd = said("labels", LabelSpan("Middle tone", 0.0, SECONDS))
    writer.add(tone(OTHER_HZ, 0.5, SECONDS), label="low", verdict=odd)
    return writer.root


def test_a_clip_unlike_all_others_of_its_label_scores_low(base: Bundle, store: Path, data: Path):
    """Only a head that was trained on it would find it."""
    report = lambda _what: lambda _done, _total: None  # noqa: E731
    correction = read_correction_data(
        base, store, (), data.parent / "cache", report, new_classes=True
    )
    (scored,) = cross_validated_scores(correction).values()
    column = correction.labels.index("middle_tone")
    peaks = sorted(float(file.scores[:, column].max()) for file in scored.takes.files)
    assert len(peaks) == 7
    assert peaks[0] < 0.5 < peaks[1]

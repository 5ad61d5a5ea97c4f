"""Clips of new labels are scored by heads that never heard them, recording by recording."""

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
from trainer.retraining.cross_validation import make_folds, score_unheard
from trainer.retraining.training_set import prepare

OTHER_HZ = 6000.0


def clip(label: str, group: str) -> Clip:
    return Clip(Path(f"{label}-{group}"), frozenset({label}), group, 0)


def test_a_recording_is_never_parted():
    groups = ["a", "b", "a", "c", "d", "e", "f", "f"]
    clips = [clip("dog", "a"), *(clip("owl", group) for group in groups)]
    folds = make_folds(clips, ["owl"])
    assert folds.tolist() == [-1, 0, 1, 0, 2, 3, 4, 0, 0]


def test_few_recordings_are_parted_into_their_clips():
    clips = [clip("owl", group) for group in "aaabbcd"]
    assert make_folds(clips, ["owl"]).tolist() == [0, 1, 2, 3, 4, 0, 1]


@pytest.fixture
def store(store: Path, tmp_path: Path) -> Path:
    """The station's clips, and one more that is called a middle tone and sounds quite different."""
    writer = StoreWriter(Path(shutil.copytree(store, tmp_path / "clips")), source="yard")
    odd = said("labels", LabelSpan("Middle tone", 0.0, SECONDS))
    writer.add(tone(OTHER_HZ, 0.5, SECONDS), label="low", verdict=odd)
    return writer.root


def test_what_only_one_clip_teaches_is_not_known_of_it(base: Bundle, store: Path, data: Path):
    """A head that learnt from it finds it; none that did not."""
    report = lambda _what: lambda _done, _total: None  # noqa: E731
    classroom = prepare(base, store, (), data.parent / "cache", report, new_classes=True)
    (files,) = score_unheard(classroom).values()
    column = classroom.labels.index("middle_tone")
    peaks = sorted(float(file.scores[:, column].max()) for file in files)
    assert len(peaks) == 7
    assert peaks[0] < 0.5 < peaks[1]

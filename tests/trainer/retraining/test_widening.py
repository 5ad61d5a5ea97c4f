"""Takes that sound alike are widened, and other tones are none of them; others stay as they are."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from listener.detection.bundle import Bundle
from listener.detection.clip import LabelSpan
from listener.soundscape.synthesis import pink_noise
from tests.trainer.retraining.conftest import MIDDLE_HZ, SECONDS
from tests.trainer.stores import StoreWriter, said
from tests.trainer.training.tones import tone
from trainer.data.alike import loudest, takes_spread
from trainer.retraining.cross_validation import cross_validated_scores
from trainer.retraining.training_set import CorrectionData, read_correction_data
from trainer.retraining.widening import (
    COPIES,
    HELD_OWN,
    HELD_TONES,
    WIDENED_DISTANCE,
    unlike,
)

TAKES = 5


def read(base: Bundle, root: Path, pitches_hz: Sequence[float]) -> CorrectionData:
    """A store of takes of these pitches at several levels, and three of noise; no base's own data."""
    writer = StoreWriter(root / "clips")
    verdict = said("labels", LabelSpan("Washer", 0.0, SECONDS))
    for number, hz in enumerate(pitches_hz):
        writer.add(tone(hz, 0.2 + 0.1 * number, SECONDS), label="low", verdict=verdict)
    random = np.random.default_rng(1)
    for _ in range(3):
        writer.add(0.05 * pink_noise(4.0, random), "ambient")
    report = lambda _what: lambda _done, _total: None  # noqa: E731
    return read_correction_data(base, writer.root, (), root / "cache", report, new_classes=True)


@pytest.fixture(scope="module")
def alike(base: Bundle, tmp_path_factory: pytest.TempPathFactory) -> CorrectionData:
    return read(base, tmp_path_factory.mktemp("alike"), [MIDDLE_HZ] * TAKES)


def test_takes_alike_get_more_copies_and_weigh_the_same(alike: CorrectionData):
    widening = alike.widening
    assert widening.labels == ("washer",)
    assert [len(table.clips) for table in widening.copies] == [TAKES] * COPIES
    recipe_copies = alike.builder.recipe.copies
    for index, rows in enumerate(alike.verdict_rows):
        patches = len(alike.builder.verdict_rows(alike.judged_clips, index).inputs)
        assert len(rows.inputs) >= (1 + recipe_copies + COPIES) * (patches - 1)
        assert rows.weights.sum() == pytest.approx((1 + recipe_copies) * patches, rel=0.1)


def test_a_copy_is_wider_than_the_takes_are(alike: CorrectionData):
    spread = takes_spread(alike.judged_clips, "washer")
    wide = takes_spread(alike.widening.copies[0], "washer")
    assert spread is not None
    assert wide is not None
    assert spread < WIDENED_DISTANCE
    assert wide > 2 * spread


def test_tones_are_none_of_the_label(alike: CorrectionData):
    tones = alike.widening.tones
    assert tones is not None
    column = alike.builder.columns.index("washer")
    assert not tones.rows.targets[:, column].any()
    assert tones.rows.known[:, column].all()
    assert 0 < len(alike.widening.held_tones) <= HELD_TONES + HELD_OWN


def test_a_tone_as_near_as_the_takes_may_be_the_sound_itself(alike: CorrectionData):
    take = loudest(alike.judged_clips, 0)
    assert take[0] != 0.0
    other = take.copy()
    other[0] = -other[0]
    far = float(1.0 - take @ other)
    tones = np.stack([[take], [other]])
    assert unlike(tones, alike.judged_clips, {"washer": 0.4 * far}).tolist() == [1]
    assert unlike(tones, alike.judged_clips, {"washer": 0.6 * far}).tolist() == []


def test_takes_are_scored_with_their_wide_copies(alike: CorrectionData):
    (own,) = cross_validated_scores(alike).values()
    assert len(own.takes.files) == TAKES
    assert len(own.copies.files) == TAKES * COPIES


def test_a_line_says_so(base: Bundle, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO):
        read(base, tmp_path, [MIDDLE_HZ] * TAKES)
    (line,) = [each for each in caplog.messages if "widened" in each]
    assert line.startswith("class washer: its takes sound alike (distance 0.0")


def test_takes_that_differ_are_left_alone(
    base: Bundle, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.INFO):
        data = read(base, tmp_path, [700.0, 1000.0, 1500.0, 2000.0, 4000.0])
    assert data.widening.labels == ()
    assert data.widening.tones is None
    assert not any("widened" in each for each in caplog.messages)
    (own,) = cross_validated_scores(data).values()
    assert own.copies.files == ()

"""Takes that sound alike are widened, and other tones are none of them; others stay as they are."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from listener.detection.bundle import Bundle
from listener.detection.clip import LabelSpan
from listener.detection.features import log_mel_patches
from listener.soundscape.synthesis import SAMPLE_RATE_HZ, pink_noise, silence
from listener.soundscape.synthesis import tone as pitch
from tests.trainer.data.test_alike import Loudness
from tests.trainer.retraining.conftest import MIDDLE_HZ, SECONDS
from tests.trainer.stores import StoreWriter, said
from tests.trainer.training.tones import tone
from trainer.data.alike import loudest, takes_spread
from trainer.data.batches import Batch
from trainer.data.cache import EmbeddingCache
from trainer.data.clips import Clip, ClipTable
from trainer.data.embedding import embed_table
from trainer.retraining.cross_validation import cross_validated_scores
from trainer.retraining.rows import without_unclear
from trainer.retraining.training_set import CorrectionData, read_correction_data
from trainer.retraining.widening import (
    COPIES,
    TONE_SECONDS,
    WIDENED_DISTANCE,
    clear_patches,
    generate_tones,
    strongest_pitches,
    tone_rows,
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


def test_takes_alike_get_copies_that_weigh_as_much_as_the_others(alike: CorrectionData):
    widening = alike.widening
    assert widening.labels == ("washer",)
    assert [len(table.clips) for table in widening.copies] == [TAKES] * COPIES
    recipe_copies = alike.builder.recipe.copies
    for index, rows in enumerate(alike.verdict_rows):
        patches = len(alike.builder.verdict_rows(alike.judged_clips, index).inputs)
        assert len(rows.inputs) >= (1 + recipe_copies + COPIES) * (patches - 1)
        assert rows.weights.sum() == pytest.approx(2 * (1 + recipe_copies) * patches, rel=0.1)


def test_a_copy_is_wider_than_the_takes_are(alike: CorrectionData):
    spread = takes_spread(alike.judged_clips, "washer")
    wide = takes_spread(alike.widening.copies[0], "washer")
    assert spread is not None
    assert wide is not None
    assert spread < WIDENED_DISTANCE
    assert wide > 2 * spread


def test_tones_are_none_of_the_label(alike: CorrectionData):
    tones = np.ones((3, 4, alike.builder.backbone.embedding_size), np.float32)
    rows = tone_rows(alike.builder, tones, ["washer"]).rows
    column = alike.builder.columns.index("washer")
    assert len(rows.inputs) == 3 * -(-4 // alike.builder.stride)
    assert not rows.targets[:, column].any()
    assert rows.known[:, column].all()


def test_a_tone_as_near_as_twice_the_takes_may_be_the_sound_itself(alike: CorrectionData):
    """One tone is the take, the other at a distance of 1 from it: at right angles."""
    take = loudest(alike.judged_clips, 0)
    other = np.zeros_like(take)
    other[:2] = take[1], -take[0]
    tones = np.stack([[take], [other]])
    assert unlike(tones, alike.judged_clips, {"washer": 0.0}).tolist() == [1]
    assert unlike(tones, alike.judged_clips, {"washer": 0.4}).tolist() == [1]
    assert unlike(tones, alike.judged_clips, {"washer": 0.6}).tolist() == []


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


def test_the_loud_half_that_is_least_like_beeps_is_clear(tmp_path: Path):
    """Silence, a low note and a high one; beeps sound as the low one does."""
    parts = [silence(2.0), tone(400.0, 0.3, 2.0), tone(3000.0, 0.3, 2.0)]
    soundfile.write(tmp_path / "take.wav", np.concatenate(parts), SAMPLE_RATE_HZ)
    clips = ClipTable((Clip(tmp_path / "take.wav", frozenset({"washer"}), "take", 1),), ("washer",))
    table = embed_table(clips, Loudness(), EmbeddingCache(tmp_path / "cache"))
    beeps = Loudness().embed(log_mel_patches(parts[1], Loudness.features))
    clear = clear_patches(table, 0, beeps[None])
    middles = np.flatnonzero(clear) * Loudness.features.patch_hop_seconds + 0.48
    assert len(middles) >= 3
    assert (middles > 3.5).all()


def test_patches_that_are_not_clear_teach_nothing_of_the_label():
    """Of three patches with the label and one without, one is clear; a copy has a patch more."""
    targets = np.array([[0.2, 1.0], [0.2, 1.0], [0.2, 1.0], [0.2, 0.0], [0.2, 1.0]], np.float32)
    known = np.ones_like(targets)
    rows = Batch(np.zeros((5, 3), np.float32), targets, known, np.ones(5, np.float32))
    clear, new = np.array([False, True, False, False]), np.array([False, True])
    alone = without_unclear(rows, clear, new, exclusive=False)
    assert alone.known.tolist() == [[1, 0], [1, 1], [1, 0], [1, 1], [1, 0]]
    assert alone.weights.tolist() == [1, 4, 1, 1, 1]  # the clear one for all four
    exclusive = without_unclear(rows, clear, new, exclusive=True)
    assert exclusive.known.tolist() == [[0, 0], [1, 1], [0, 0], [1, 1], [0, 0]]


def test_the_same_seed_gives_the_same_and_more_begin_alike():
    first, again, more = generate_tones(3, 1), generate_tones(3, 1), generate_tones(5, 1)
    for one, other, third in zip(first, again, more, strict=False):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, third)
    assert not np.array_equal(first[0], generate_tones(1, 2)[0])


def test_all_are_as_long_and_none_is_clipped():
    for samples in generate_tones(40, 0):
        assert samples.dtype == np.float32
        assert len(samples) == TONE_SECONDS * SAMPLE_RATE_HZ
        assert np.abs(samples).max() < 1.0


def strongest_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples))
    return float(np.argmax(spectrum) * SAMPLE_RATE_HZ / len(samples))


def test_low_and_high_pitches_are_there_and_louder_than_the_noise():
    sounds = generate_tones(40, 0)
    pitches = [strongest_hz(each) for each in sounds]
    assert min(pitches) < 500.0
    assert max(pitches) > 2_000.0
    for samples in sounds:
        spectrum = np.abs(np.fft.rfft(samples))
        assert spectrum.max() > 10 * np.median(spectrum)


def test_the_pitches_of_a_melody_are_found_the_strongest_first():
    sounds = [np.concatenate((pitch([700.0], 1.0), 0.5 * pitch([1900.0], 1.0)))] * 2
    assert strongest_pitches(sounds) == pytest.approx([700.0, 1900.0], rel=0.01)


def test_silence_and_a_short_click_are_no_trouble():
    assert strongest_pitches([silence(1.0)]) == []
    assert strongest_pitches([np.ones(10, np.float32)]) != []


def test_with_pitches_all_notes_are_near_these():
    """Within three semitones, a factor of 1.19, or on a harmonic."""
    for samples in generate_tones(40, 0, [1000.0]):
        harmonic = strongest_hz(samples) / 1000.0
        assert any(n / 1.2 < harmonic < 1.2 * n for n in (1, 2, 3, 4))

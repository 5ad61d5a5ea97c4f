"""The label belongs to the part of a clip that is not quiet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from listener.detection.bundle import Bundle
from listener.detection.params import FeatureParams
from tests.trainer.training.tones import RATE_HZ, tone
from trainer.data.activity import find_active, mark_activity, patch_levels
from trainer.data.cache import EmbeddingCache
from trainer.data.clips import BACKGROUND, Clip, ClipTable
from trainer.data.embedding import embed_table
from trainer.model.backbones import BundleBackbone

PARAMS = FeatureParams()


def test_a_full_scale_sine_is_three_decibels_under_full_scale():
    levels = patch_levels(tone(1000.0, 1.0, 0.975), PARAMS)
    assert levels == pytest.approx([-3.01], abs=0.01)


def test_the_last_patch_is_padded_with_silence():
    """1.455 s are one hop more than a window: two patches. 1.46 s begin a third, mostly of padding."""
    assert len(patch_levels(tone(1000.0, 1.0, 1.455), PARAMS)) == 2
    levels = patch_levels(tone(1000.0, 1.0, 1.46), PARAMS)
    assert levels == pytest.approx([-3.01, -3.01, -3.01 + 10 * np.log10(0.5 / 0.975)], abs=0.1)


@pytest.mark.parametrize(
    ("levels", "spans"),
    [
        ([-10, -10, -10, -10], [(0.0, 3.0)]),
        ([-10, -60, -60, -20], [(0.0, 0.7275), (1.6875, 3.0)]),
        ([-60, -10, -10, -60], [(0.7275, 1.6875)]),
        ([-80, -75, -75, -75], []),
        ([], []),
    ],
)
def test_slots_forty_decibels_under_the_loudest_are_quiet(levels, spans):
    """Slots of 0.48 s; the first also has the 0.2475 s before its own."""
    found = find_active(np.array(levels, np.float64), 3.0, PARAMS)
    assert [time for span in found for time in span] == pytest.approx(
        [time for span in spans for time in span]
    )


def test_the_silence_after_a_bark_is_background(tmp_path: Path, tones_bundle: Bundle):
    soundfile.write(tmp_path / "bark.wav", np.pad(tone(500.0, 0.5, 1.0), (0, 4 * RATE_HZ)), RATE_HZ)
    clips = (Clip(tmp_path / "bark.wav", frozenset({"dog"}), "bark", 1),)
    embedded = embed_table(
        ClipTable(clips, ("dog",)),
        BundleBackbone(tones_bundle.path),
        EmbeddingCache(tmp_path / "c"),
    )
    marked = mark_activity(embedded)
    assert marked.classes == ("dog", BACKGROUND)
    (clip,) = marked.table.clips
    assert clip.exhaustive
    (span,) = clip.spans
    # the third patch, from 0.96 s on, still has a little of it; its slot ends at 0.2475 + 3 x 0.48 s
    assert (span.label, span.onset) == ("dog", 0.0)
    assert span.offset == pytest.approx(1.6875)
    assert mark_activity(embedded).table == marked.table  # levels from the cache


def test_clips_with_more_labels_or_background_are_unchanged(tmp_path: Path, tones_bundle: Bundle):
    soundfile.write(tmp_path / "a.wav", tone(500.0, 0.5), RATE_HZ)
    soundfile.write(tmp_path / "b.wav", tone(3000.0, 0.5), RATE_HZ)
    clips = (
        Clip(tmp_path / "a.wav", frozenset({"dog", "cat"}), "a", 1),
        Clip(tmp_path / "b.wav", frozenset({BACKGROUND}), "b", 1),
    )
    table = ClipTable(clips, ("cat", "dog", BACKGROUND))
    embedded = embed_table(table, BundleBackbone(tones_bundle.path), EmbeddingCache(tmp_path / "c"))
    assert mark_activity(embedded).table == table

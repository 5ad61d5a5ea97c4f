"""The change of a waveform depends on the seed and the clip, not on the order of clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.trainer.data.doubles import PARAMS, RATE_HZ, make_clip, make_table, write_tone
from trainer.data.clips import Clip
from trainer.data.patches import LogMelTable
from trainer.data.preparation import Preparation, digest_file, prepare


def scale(
    samples: NDArray[np.float32], _rate: int, random: np.random.Generator
) -> NDArray[np.float32]:
    return samples * np.float32(random.uniform())


def draw(clip: Clip, seed: int, digest: str = "ab" * 32) -> float:
    ones = np.ones(1, np.float32)
    return float(Preparation("scale", scale, seed).apply(ones, RATE_HZ, clip, digest)[0])


def test_a_change_is_repeatable():
    clip = make_clip(Path("a.wav"))
    assert draw(clip, seed=0) == draw(replace(clip, path=Path("b.wav")), seed=0)
    others = [
        draw(clip, seed=1),
        draw(replace(clip, onset=1.0), seed=0),
        draw(clip, 0, "cd" * 32),
    ]
    assert len({draw(clip, seed=0), *others}) == 4


def test_a_clip_shorter_than_a_window_is_one_patch(tmp_path: Path):
    clip = make_clip(write_tone(tmp_path / "a.wav", 0.1))
    prepared = prepare(clip, PARAMS, Preparation(), digest_file(clip.path))
    assert prepared.patches.shape == (1, 96, 64)
    assert prepared.seconds == 0.1


def test_log_mel_patches_are_loaded_one_clip_at_a_time(tmp_path: Path):
    clip = make_clip(write_tone(tmp_path / "a.wav", 2.0))
    source = LogMelTable(make_table(clip), PARAMS)
    loaded = source.load(0)
    expected = prepare(clip, PARAMS, Preparation(), digest_file(clip.path))
    assert loaded.seconds == 2.0
    np.testing.assert_array_equal(loaded.inputs, expected.patches)

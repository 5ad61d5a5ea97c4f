"""Takes that sound alike are told from recordings that differ."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from listener.detection.params import FeatureParams
from tests.trainer.training.tones import RATE_HZ, tone
from trainer.data.alike import ALIKE_DISTANCE, takes_spread, warn_of_alike_takes
from trainer.data.cache import EmbeddingCache
from trainer.data.clips import BACKGROUND, Clip, ClipTable
from trainer.data.embedding import embed_table
from trainer.data.patches import EmbeddedTable


class Loudness:
    """An embedder of the mean magnitude in each mel band: the same tone at any level points one way."""

    features = FeatureParams()
    embedding_size = 64
    id = "0" * 64

    def embed(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        magnitudes: NDArray[np.float32] = np.exp(patches).mean(axis=1) - np.float32(0.001)
        return magnitudes


def embedded(folder: Path, label: str, takes: Sequence[tuple[float, float]]) -> EmbeddedTable:
    """Clips of three seconds: half silence, then a tone of these hertz and this amplitude."""
    clips = []
    for number, (hz, amplitude) in enumerate(takes):
        path = folder / f"{number}.wav"
        silence = np.zeros(round(1.5 * RATE_HZ), np.float32)
        soundfile.write(path, np.concatenate((silence, tone(hz, amplitude))), RATE_HZ)
        clips.append(Clip(path, frozenset({label}), path.stem, 1))
    table = ClipTable(tuple(clips), (label,))
    return embed_table(table, Loudness(), EmbeddingCache(folder / "cache"))


ALIKE = [(1000.0, amplitude) for amplitude in (0.1, 0.2, 0.3, 0.4, 0.5)]
OTHERS = [(hz, 0.3) for hz in (400.0, 700.0, 1200.0, 2000.0, 3500.0)]


def test_one_sound_at_other_levels_is_alike_and_others_are_not(tmp_path: Path):
    (tmp_path / "others").mkdir()
    alike = takes_spread(embedded(tmp_path, "dog", ALIKE), "dog")
    others = takes_spread(embedded(tmp_path / "others", "dog", OTHERS), "dog")
    assert alike is not None
    assert others is not None
    assert alike < ALIKE_DISTANCE < others


def test_a_warning_names_the_class(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    table = embedded(tmp_path, "dog", ALIKE)
    with caplog.at_level(logging.WARNING):
        warn_of_alike_takes(table, ["dog", "cat"])
    (message,) = caplog.messages
    assert message.startswith("class dog: its clips sound like one recording (distance 0.0")


@pytest.mark.parametrize(("label", "count"), [("dog", 2), (BACKGROUND, 5)])
def test_two_takes_and_background_say_nothing(tmp_path: Path, label: str, count: int):
    table = embedded(tmp_path, label, ALIKE[:count])
    assert takes_spread(table, label) is None

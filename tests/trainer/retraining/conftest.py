"""A bundle that knows two tones, and the clips of a station that heard a third."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from listener.detection.bundle import Bundle
from listener.detection.clip import LabelSpan
from listener.soundscape.synthesis import pink_noise
from tests.trainer.stores import StoreWriter, said
from tests.trainer.training.tones import tone, write_tones
from trainer.training.fit_bundle import FitRequest, fit_bundle
from trainer.training.recipe import Recipe

SECONDS = 2.0
MIDDLE_HZ = 1250.0


@pytest.fixture(scope="package")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tones of 500 and 3000 Hz in five folds."""
    return write_tones(tmp_path_factory.mktemp("learning") / "data")


@pytest.fixture(scope="package")
def base(data: Path, tones_bundle: Bundle) -> Bundle:
    """Trained on folds 1 to 3; eight clips of the others are its regression set."""
    request = FitRequest(
        (data,),
        data.parent / "two-tones",
        str(tones_bundle.path),
        data.parent / "cache",
        Recipe(copies=1),
        folds=(1, 2, 3),
    )
    return fit_bundle(request)


@pytest.fixture(scope="package")
def store(data: Path) -> Path:
    """Six middle tones that were detected as low ones, three right high and low ones, six of noise."""
    writer = StoreWriter(data.parent / "clips")
    middle = said("labels", LabelSpan("Middle tone", 0.0, SECONDS))
    for number in range(6):
        level = 0.2 + 0.1 * number
        writer.add(tone(MIDDLE_HZ + 10 * number, level, SECONDS), label="low", verdict=middle)
    for number in range(3):
        level = 0.3 + 0.1 * number
        writer.add(tone(500.0, level, SECONDS), label="low", verdict=said("right"))
        writer.add(tone(3000.0, level, SECONDS), label="high", verdict=said("right"))
    random = np.random.default_rng(1)
    for _ in range(6):
        writer.add(0.05 * pink_noise(4.0, random), "ambient")
    writer.add(tone(3000.0, 0.3, SECONDS), label="high")
    return writer.root

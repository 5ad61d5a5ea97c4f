"""What many tests stand on. TensorFlow is imported only by the fixtures that need it."""

from __future__ import annotations

import os
import signal

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # so a shell starts what it runs in the background, and what tests interrupt would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy; see listener/__main__.py

from pathlib import Path

import pytest

from listener.detection.bundle import Bundle
from listener.detection.params import FeatureParams
from tests.shared import find_shared


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder beside the project with YAMNet and ESC-10."""
    path = find_shared()
    if path is None:
        pytest.skip("no shared folder beside the project (EARSHOT_SHARED, default ../shared)")
    return path


@pytest.fixture(scope="session")
def tones_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Hears low_tone (500 Hz), high_tone (3000 Hz) and noise; see tests/bundles.py. Read only."""
    from tests.bundles import make_tones_bundle  # noqa: PLC0415 - imports TensorFlow

    return make_tones_bundle(tmp_path_factory.mktemp("bundles") / "tones")


@pytest.fixture(scope="session")
def yamnet_bundle(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The real YAMNet with its 521 labels. Read only."""
    from trainer.training.backbone_bundle import make_backbone_bundle  # noqa: PLC0415 - imports TensorFlow

    handle = str(shared / "models" / "yamnet")
    return make_backbone_bundle(
        handle, tmp_path_factory.mktemp("bundles") / "yamnet", FeatureParams()
    )

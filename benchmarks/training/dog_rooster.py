"""Dog against rooster, as in TensorFlow's tutorial: a real `trainer fit`, and its SavedModel by itself."""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from benchmarks.figures import Aim, Figure
from benchmarks.materials import Materials, find_materials
from benchmarks.training.school import School
from listener.detection.bundle import Bundle, read_bundle
from listener.detection.features import log_mel_patches
from listener.engines.litert import LiteRTEngine
from trainer.config import EMBEDDING_CACHE
from trainer.data.audio import read_audio
from trainer.data.clips import Clip

PART = "dog-rooster"
_PAIR = ("dog", "rooster")
_LEARNT, _VALIDATION, _TESTED = (1, 2, 3, 4), 4, 5
_SAME = 1e-4  # of scores: what an export may differ by

Scores = NDArray[np.float32]


def measure_dog_rooster(school: School) -> list[Figure]:
    """Folds 1 to 3 to learn from, 4 to stop by, 5 to test on."""
    materials = find_materials()
    tested = [
        clip for clip in school.table.clips if clip.labels <= set(_PAIR) and clip.fold == _TESTED
    ]
    with tempfile.TemporaryDirectory(prefix="earshot-pair-") as name:
        bundle = _fit(materials, Path(name))
        bundled, served = _by_bundle(bundle, tested), _by_saved_model(bundle, tested)
    difference = float(np.abs(bundled - served).max())
    return [
        _accuracy("bundle", bundled, bundle, tested),
        _accuracy("SavedModel in plain TensorFlow", served, bundle, tested),
        Figure(
            PART, "largest difference of their scores", "", (difference,), Aim("at most", _SAME)
        ),
    ]


def _fit(materials: Materials, folder: Path) -> Bundle:
    esc10 = materials.recordings[0].parents[1]
    with (esc10 / "esc10.csv").open(newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["category"] in _PAIR]
    with (folder / "esc10.csv").open("w", newline="", encoding="utf-8") as lines:
        table = csv.DictWriter(lines, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    (folder / "audio").symlink_to(esc10 / "audio")
    options = ["--data", folder, "--backbone", materials.yamnet, "--cache", EMBEDDING_CACHE]
    folds = [text for fold in _LEARNT for text in ("--folds", str(fold))]
    command = [sys.executable, "-m", "trainer", "fit", *map(str, options), *folds]
    out = folder / "pair"
    subprocess.run(
        [*command, "--validation", str(_VALIDATION), "--out", str(out)],
        check=True,
        capture_output=True,
    )
    return read_bundle(out)


def _by_bundle(bundle: Bundle, clips: Sequence[Clip]) -> Scores:
    """The clips' mean scores (clips, K), as the daemon's engine gives them."""
    features, engine = bundle.manifest.features, LiteRTEngine(bundle.model_path)
    patches = (log_mel_patches(_read(clip, bundle), features) for clip in clips)
    return np.stack([engine.infer(each)[0].mean(axis=0) for each in patches])


def _by_saved_model(bundle: Bundle, clips: Sequence[Clip]) -> Scores:
    """The same of `serving_default`, which takes waveforms."""
    model = tf.saved_model.load(str(bundle.saved_model_path))
    serve = model.signatures["serving_default"]
    waveforms = (tf.constant(_read(clip, bundle)) for clip in clips)
    return np.stack([serve(waveform=each)["clip_scores"].numpy() for each in waveforms])


def _read(clip: Clip, bundle: Bundle) -> NDArray[np.float32]:
    return read_audio(clip, bundle.manifest.features.sample_rate_hz)


def _accuracy(by: str, scores: Scores, bundle: Bundle, clips: Sequence[Clip]) -> Figure:
    right = [
        bundle.labels[row.argmax()] in clip.labels for row, clip in zip(scores, clips, strict=True)
    ]
    what = f"clip accuracy, fold {_TESTED}, {by}"
    return Figure(PART, what, "%", (100 * float(np.mean(right)),), Aim("at least", 100))

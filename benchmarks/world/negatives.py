"""The bank of negatives: embeddings of varied real audio that every `trainer fit` learns to reject."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.world.clips import unlabelled_files
from benchmarks.world.credits import bank_credits
from benchmarks.world.packages import World
from listener.detection.bundle import Bundle
from listener.detection.features import log_mel_patches
from listener.engines.litert import LiteRTEngine
from trainer.background.bank import probe_patches
from trainer.data import audio
from trainer.data.clips import Clip
from trainer.errors import DataError

_PATCHES = 7800  # 2.6 MB as eight bits, compressed
_RUN = 8  # consecutive patches of a clip, so that a smoothed score means something
_LEAST_OF_A_PACKAGE = 12
_RARE = 0.9995  # a quantile: the few higher numbers are cut off
_MOST_SECONDS = 150.0  # of a file

Embeddings = NDArray[np.float32]


def write_bank(bundle: Bundle, world: World, root: Path, out: Path) -> tuple[int, float]:
    """A part of each package of the train part, long ones less than in proportion; its size in MB.

    Its CREDITS.md is written beside it.
    """
    chosen = random.Random(0)
    engine = LiteRTEngine(bundle.model_path)
    packages = [package for package in world.packages_of("train") if package.hours > 0]
    weights = np.sqrt([package.hours for package in packages])
    quotas = np.maximum(_LEAST_OF_A_PACKAGE, _PATCHES * weights / weights.sum()).astype(int)
    runs: list[Embeddings] = []
    sources: list[int] = []
    for number, (package, quota) in enumerate(zip(packages, quotas, strict=True)):
        files = unlabelled_files(package, root)
        chosen.shuffle(files)
        for run in _runs(files, int(quota), bundle, engine, chosen):
            runs.append(run)
            sources.append(number)
    embeddings = np.concatenate(runs)
    lengths = [len(run) for run in runs]
    zero = np.minimum(embeddings.min(axis=0), 0.0)
    scale = (np.quantile(embeddings, _RARE, axis=0) - zero) / 255.0
    scale[scale <= 0.0] = 1.0
    steps = np.clip(np.round((embeddings - zero) / scale) - 128.0, -128, 127)
    np.savez_compressed(
        out,
        embeddings=steps.astype(np.int8),
        scale=scale.astype(np.float32),
        zero=zero.astype(np.float32),
        source=np.repeat(np.array(sources, np.uint8), lengths),
        clip=np.repeat(np.arange(len(runs), dtype=np.uint16), lengths),
        sources=np.array([package.name for package in packages]),
        probe=engine.infer(probe_patches())[1],
    )
    names = {packages[number].name for number in sources}
    out.with_name("CREDITS.md").write_text(bank_credits(names), encoding="utf-8")
    return len(embeddings), out.stat().st_size / 1e6


def _runs(
    files: list[Path], quota: int, bundle: Bundle, engine: LiteRTEngine, chosen: random.Random
) -> Iterator[Embeddings]:
    """A run of each file in turn, of long ones several, until there are enough patches."""
    left = quota
    features = bundle.manifest.features
    for path in files * 3:
        if left <= 0:
            return
        clip = Clip(path, frozenset(), path.stem, fold=0, seconds=_MOST_SECONDS)
        try:
            samples = audio.read_audio(clip, features.sample_rate_hz)
        except DataError:
            continue
        patches = log_mel_patches(samples, features)
        count = min(_RUN, len(patches), left)
        start = chosen.randrange(len(patches) - count + 1)
        left -= count
        yield engine.infer(patches[start : start + count])[1]

"""White, pink and brown noise told apart after five signals of each, as in MATLAB's example.

White is uniform in [-1, 1]; brown is white through 1 / (1 - 0.999 z^-1); pink is white whose power falls
by 3 dB an octave; each set of signals is scaled to a largest sample of 1.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Aim, Figure
from benchmarks.training.school import School, quietly
from listener.detection.features import log_mel_patches
from trainer.data.clips import Clip, ClipTable
from trainer.data.patches import ClipPatches
from trainer.training.sampling import InMemory
from trainer.training.train import clip_accuracy, train_head

Signals = NDArray[np.float64]  # (signals, samples)

SEEDS = 20
TO_LEARN, TO_TEST = 5, 95
SIGNAL_SECONDS = 0.98
_POLE = 0.999


def measure_noise_colours(school: School) -> list[Figure]:
    """The accuracy for each seed, and its mean."""
    values = tuple(100 * _measure_seed(school, seed) for seed in range(SEEDS))
    what = f"accuracy on {3 * TO_TEST} signals"
    return [
        Figure("noise-colours", f"{what}, each seed", "%", values),
        Figure(
            "noise-colours", f"{what}, mean of {SEEDS} seeds", "%", (float(np.mean(values)),),
            Aim("at least", 99.9),
        ),
    ]  # fmt: skip


def _measure_seed(school: School, seed: int) -> float:
    random = np.random.default_rng([seed, TO_LEARN, TO_TEST])
    learn, test = [], []
    for name, make in _COLOURS.items():
        patches = [_embed(school, samples) for samples in make(random)]
        learn += [(name, each) for each in patches[:TO_LEARN]]
        test += [(name, each) for each in patches[TO_LEARN:]]
    taught = train_head(_source(school, learn), school.lesson, quietly)
    return clip_accuracy(taught, _source(school, test))


def _source(school: School, named: list[tuple[str, ClipPatches]]) -> InMemory:
    clips = tuple(
        Clip(Path(f"{name}-{number}"), frozenset({name}), f"{name}-{number}", 1, exhaustive=True)
        for number, (name, _) in enumerate(named)
    )
    patches = tuple(each for _, each in named)
    return InMemory(ClipTable(clips, tuple(_COLOURS)), school.backbone.features, patches)


def _embed(school: School, samples: Signals) -> ClipPatches:
    """Of the one patch that the signal fills; what is left over is a hundredth of the next."""
    features = school.backbone.features
    log_mel = log_mel_patches(samples[: features.window_samples].astype(np.float32), features)
    return ClipPatches(school.backbone.embed(log_mel), SIGNAL_SECONDS)


def _white(random: np.random.Generator) -> Signals:
    count = round(SIGNAL_SECONDS * 16_000)
    return _scaled(random.uniform(-1.0, 1.0, (TO_LEARN + TO_TEST, count)))


def _pink(random: np.random.Generator) -> Signals:
    spectrum = np.fft.rfft(_white(random))
    spectrum[:, 1:] /= np.sqrt(np.arange(1, spectrum.shape[1]))
    spectrum[:, 0] = 0.0
    return _scaled(np.fft.irfft(spectrum))


def _brown(random: np.random.Generator) -> Signals:
    white = _white(random)
    brown = np.empty_like(white)
    level = np.zeros(len(white))
    for place in range(white.shape[1]):
        level = white[:, place] + _POLE * level
        brown[:, place] = level
    return _scaled(brown)


def _scaled(signals: Signals) -> Signals:
    scaled: Signals = signals / np.abs(signals).max()
    return scaled


_COLOURS: dict[str, Callable[[np.random.Generator], Signals]] = {
    "white": _white,
    "pink": _pink,
    "brown": _brown,
}

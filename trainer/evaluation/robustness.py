"""The same clips in noise, in a room, louder and softer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import Samples
from trainer.augment.waveform import add_coloured_noise, add_reverb, change_gain
from trainer.evaluation.clip_metrics import Mask, clip_metrics
from trainer.evaluation.scoring import Scorer

SNRS_DB = (20.0, 10.0, 5.0, 0.0, -5.0)
GAINS_DB = (-20.0, -10.0, 10.0)

# power ~ 1 / f ** exponent; training draws exponents from 0 (white) to 2 (brown)
SEEN_NOISE = ("pink noise", 1.0)
UNSEEN_NOISE = ("blue noise", -1.0)

_RT60_SECONDS, _DIRECT_TO_REVERB_DB = 0.6, 0.0  # a living room, across it

Change = Callable[[Samples, np.random.Generator], Samples]


@dataclass(frozen=True, slots=True)
class Condition:
    """What is done to a clip. `strength` is an SNR or gain in dB, a reverberation time in s."""

    name: str
    strength: float | None
    change: Change


@dataclass(frozen=True, slots=True)
class ConditionResult:
    """How well clips are told apart so changed; see ClipMetrics."""

    condition: str
    strength: float | None
    accuracy: float | None
    f1: float | None
    average_precision: float | None


def standard_conditions(sample_rate_hz: int) -> tuple[Condition, ...]:
    """Clean; noise that training uses and noise that it never does; reverb; gain."""
    noises = [
        Condition(name, snr, partial(_add_noise, snr, exponent))
        for name, exponent in (SEEN_NOISE, UNSEEN_NOISE)
        for snr in SNRS_DB
    ]
    reverb = partial(_reverberate, sample_rate_hz)
    gains = [Condition("gain", gain, partial(_change_gain, gain)) for gain in GAINS_DB]
    return (
        Condition("clean", None, _leave),
        *noises,
        Condition("reverb", _RT60_SECONDS, reverb),
        *gains,
    )


def _leave(samples: Samples, _rng: np.random.Generator) -> Samples:
    return samples


def _add_noise(
    snr_db: float, exponent: float, samples: Samples, rng: np.random.Generator
) -> Samples:
    return add_coloured_noise(samples, snr_db, exponent, rng)


def _reverberate(sample_rate_hz: int, samples: Samples, rng: np.random.Generator) -> Samples:
    return add_reverb(samples, _RT60_SECONDS, _DIRECT_TO_REVERB_DB, sample_rate_hz, rng)


def _change_gain(gain_db: float, samples: Samples, _rng: np.random.Generator) -> Samples:
    return change_gain(samples, gain_db)


def score_condition(
    scorer: Scorer, condition: Condition, samples: Samples, index: int, seed: int = 0
) -> NDArray[np.float32]:
    """The clip's scores (K,), the mean over its patches. `index` and `seed` fix the noise."""
    rng = np.random.default_rng([seed, index])
    return scorer(condition.change(samples, rng)).mean(axis=0)


def judge_condition(
    condition: Condition,
    targets: Mask,
    scores: NDArray[np.float32],
    labels: Sequence[str],
    known: Mask | None = None,
) -> ConditionResult:
    """From targets and scores of all clips, (N, K); see `clip_metrics`."""
    metrics = clip_metrics(targets, scores, labels, known=known)
    return ConditionResult(
        condition.name,
        condition.strength,
        metrics.accuracy,
        metrics.f1,
        metrics.average_precision,
    )

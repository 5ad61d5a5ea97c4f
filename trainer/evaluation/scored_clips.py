"""The clips of a table with the scores that a bundle gives them, as they are and in worse conditions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import Samples
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy
from trainer.augment.waveform import add_coloured_noise, add_reverb, change_gain, limit_band
from trainer.data.clips import Clip, ClipTable, Quarantined
from trainer.data.targets import Targets, clip_targets, patch_targets
from trainer.errors import DataError
from trainer.evaluation.clip_metrics import Mask, clip_metrics
from trainer.evaluation.scored_file import ScoredFile, smooth_file
from trainer.evaluation.scoring import Scorer, score_file
from trainer.evaluation.selection import read_one_by_one
from trainer.terminal import Progress

SNRS_DB = (20.0, 10.0, 5.0, 0.0, -5.0)
GAINS_DB = (-20.0, -10.0, 10.0)
# steep, as a resampler is: 11 kHz audio, G.711 from a good and a usual camera, a poor telephone line
BANDWIDTHS_HZ = (5_500.0, 4_000.0, 3_400.0, 2_700.0)
BAND_LIMITED = "low-pass"
SEEN_NOISE, UNSEEN_NOISE = "pink noise", "blue noise"  # used in training, and never used there
# power ~ 1 / f ** exponent; training draws exponents from 0 (white) to 2 (brown)
_EXPONENTS = {SEEN_NOISE: 1.0, UNSEEN_NOISE: -1.0}
_RT60_SECONDS, _DIRECT_TO_REVERB_DB = 0.6, 0.0  # a living room, across it


@dataclass(frozen=True, slots=True)
class Condition:
    """What is done to clips; `strength` is an SNR or gain in dB, a reverberation time in s, or Hz."""

    name: str
    strength: float | None
    sample_rate_hz: int

    def change(self, samples: Samples, rng: np.random.Generator) -> Samples:
        """The samples under this condition, float32 (n,)."""
        if self.strength is None:
            return samples
        if self.name == "gain":
            return change_gain(samples, self.strength)
        if self.name == BAND_LIMITED:
            return limit_band(samples, self.strength, self.sample_rate_hz)
        if self.name == "reverb":
            rate = self.sample_rate_hz
            return add_reverb(samples, self.strength, _DIRECT_TO_REVERB_DB, rate, rng)
        return add_coloured_noise(samples, self.strength, _EXPONENTS[self.name], rng)


@dataclass(frozen=True, slots=True)
class ConditionResult:
    """Metrics of clips changed in this way; see ClipMetrics."""

    condition: str
    strength: float | None
    accuracy: float | None
    f1: float | None
    average_precision: float | None


def standard_conditions(sample_rate_hz: int) -> tuple[Condition, ...]:
    """Clean; noise that training uses and noise that it never does; reverb; gain; less bandwidth."""
    kinds = (
        ("clean", None),
        *((noise, snr_db) for noise in (SEEN_NOISE, UNSEEN_NOISE) for snr_db in SNRS_DB),
        ("reverb", _RT60_SECONDS),
        *(("gain", gain_db) for gain_db in GAINS_DB),
        *((BAND_LIMITED, limit_hz) for limit_hz in BANDWIDTHS_HZ),
    )
    return tuple(Condition(name, strength, sample_rate_hz) for name, strength in kinds)


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
    thresholds: NDArray[np.float32] | None = None,
) -> ConditionResult:
    """From targets and mean scores of all clips, (N, K); `thresholds` (K,) are what a label must pass.

    See `clip_metrics`.
    """
    passed = None if thresholds is None else scores >= thresholds
    metrics = clip_metrics(targets, scores, labels, known=known, passed=passed)
    return ConditionResult(
        condition.name,
        condition.strength,
        metrics.accuracy,
        metrics.f1,
        metrics.average_precision,
    )


@dataclass(frozen=True, slots=True)
class ScoredClip:
    """A clip, its scores, and its mean scores (K,) under each condition.

    `every_label` has the scores of all labels of the bundle, as the daemon's detector sees them.
    """

    clip: Clip
    file: ScoredFile
    every_label: ScoredFile
    conditions: tuple[NDArray[np.float32], ...]


@dataclass(frozen=True, slots=True)
class ScoredTable:
    """The clips that could be read; the columns of their scores are `labels`, the table's classes."""

    clips: tuple[ScoredClip, ...]
    labels: tuple[str, ...]
    features: FeatureParams
    quarantined: tuple[Quarantined, ...]

    def clip_targets(self) -> tuple[Mask, Mask]:
        """What is in the clips, and where that is known, (N, K)."""
        return _stack(clip_targets(each.clip, self.labels) for each in self.clips)

    def patch_targets(self) -> tuple[Mask, Mask]:
        """The same of all patches of all clips."""
        return _stack(
            patch_targets(
                each.clip, self.labels, len(each.file.scores), each.file.seconds, self.features
            )
            for each in self.clips
        )

    def mean_scores(self) -> NDArray[np.float32]:
        """Of each clip, (N, K)."""
        return np.stack([each.file.scores.mean(axis=0) for each in self.clips])

    def peak_scores(self, policies: Sequence[LabelPolicy]) -> NDArray[np.float32]:
        """The highest smoothed score of each clip, (N, K); a policy for each label."""
        hop = self.features.patch_hop_seconds
        lengths = [policy.smoothing_patches(hop) for policy in policies]
        return np.stack([smooth_file(each.file, lengths).scores.max(axis=0) for each in self.clips])


def _stack(targets: Iterable[Targets]) -> tuple[Mask, Mask]:
    each = list(targets)
    return (
        np.concatenate([one.values for one in each]) > 0,
        np.concatenate([one.known for one in each]) > 0,
    )


def score_table(
    scorer: Scorer,
    table: ClipTable,
    every_label: Sequence[str],
    conditions: Sequence[Condition] = (),
    progress: Progress | None = None,
) -> ScoredTable:
    """Score every clip, also under each condition; `every_label` are the columns of the scorer.

    Raises:
        DataError: no clip can be read.
    """
    columns = [list(every_label).index(label) for label in table.classes]
    clips: list[ScoredClip] = []
    left_out: list[Quarantined] = []
    reading = read_one_by_one(table, scorer.features.sample_rate_hz, progress)
    for index, (clip, samples) in enumerate(reading):
        if isinstance(samples, Quarantined):
            left_out.append(samples)
            continue
        file = score_file(scorer, samples, clip.path.name, clip.spans)
        changed = (score_condition(scorer, each, samples, index)[columns] for each in conditions)
        clips.append(ScoredClip(clip, file.with_columns(columns), file, tuple(changed)))
    if not clips:
        raise DataError(f"expected clips that can be read, got none of {len(table.clips)}")
    quarantined = (*table.quarantined, *left_out)
    return ScoredTable(tuple(clips), table.classes, scorer.features, quarantined)

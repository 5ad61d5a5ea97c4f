"""RegressionSet: a few held-out clips inside a bundle, with which later bundles are checked.

They are kept as log-mel patches, not as audio: any model with the same front end can be judged by them
when the data is gone, and they cannot be listened to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from listener.detection import audio, params
from listener.detection.bundle import Bundle
from listener.detection.features import log_mel_patches
from trainer.data.clips import Clip, ClipTable, Quarantined
from trainer.data.targets import clip_targets, patch_targets
from trainer.evaluation import scored_file, selection
from trainer.evaluation.clip_metrics import ClipMetrics, Scores, clip_metrics, decide
from trainer.export.arrays import arrays_as_bytes, open_arrays
from trainer.terminal import Progress

REGRESSION_FILE = "regression.npz"
MOST_PATCHES = 500  # 6 MB
PATCHES_OF_A_CLIP = 5
_PATCHES_AT_ONCE = 16
_DIGITS = 6  # of points; sums of binary fractions

ScorePatches = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # (B, 96, 64) -> (B, K)
_Number = TypeVar("_Number", np.float32, np.bool_)


@dataclass(frozen=True, slots=True)
class RegressionSet:
    """N clips as P patches that do not overlap.

    `patches` is float16 (P, 96, 64), `clips` (P,) the clip that each belongs to; `targets` and `known`
    are bool (N, K) with `labels` (slugs) as columns.
    """

    labels: tuple[str, ...]
    patches: NDArray[np.float16]
    clips: NDArray[np.int64]
    targets: NDArray[np.bool_]
    known: NDArray[np.bool_]

    @property
    def heard(self) -> frozenset[str]:
        """The labels that some clip holds."""
        columns = np.flatnonzero(self.targets.any(axis=0)).tolist()
        return frozenset(self.labels[column] for column in columns)

    def mean_scores(self, score: ScorePatches) -> NDArray[np.float32]:
        """The mean of each clip's patches, (N, K of the scorer)."""
        return np.stack([scores.mean(axis=0) for scores in self._score(score)])

    def score_files(
        self, score: ScorePatches, patch_seconds: float
    ) -> list[scored_file.ScoredFile]:
        """Each clip as a file of its patches, one after the other."""
        return [
            scored_file.ScoredFile(
                f"held-out {number}",
                scores,
                np.arange(len(scores) + 1, dtype=np.float64) * patch_seconds,
            )
            for number, scores in enumerate(self._score(score))
        ]

    def _score(self, score: ScorePatches) -> list[NDArray[np.float32]]:
        """The scores of each clip's patches."""
        starts = range(0, len(self.patches), _PATCHES_AT_ONCE)
        parts = [
            score(self.patches[start : start + _PATCHES_AT_ONCE].astype(np.float32))
            for start in starts
        ]
        scores = np.concatenate(parts)
        return [scores[self.clips == clip] for clip in range(len(self.targets))]

    def joined_with(self, other: RegressionSet) -> RegressionSet:
        """Its clips, then the other's; a label that only one set has is unknown in the other's clips."""
        labels = tuple(dict.fromkeys((*self.labels, *other.labels)))
        sets = (self, other)
        return RegressionSet(
            labels,
            np.concatenate((self.patches, other.patches)),
            np.concatenate((self.clips, len(self.targets) + other.clips)),
            np.concatenate([_columns(each.targets, each.labels, labels) for each in sets]),
            np.concatenate([_columns(each.known, each.labels, labels) for each in sets]),
        )

    def to_bytes(self) -> bytes:
        """The content of REGRESSION_FILE."""
        return arrays_as_bytes(
            labels=np.array(self.labels, np.str_),
            patches=self.patches,
            clips=self.clips,
            targets=self.targets,
            known=self.known,
        )


def _columns(
    values: NDArray[_Number], labels: Sequence[str], wanted: Sequence[str]
) -> NDArray[_Number]:
    """The columns of the wanted labels; one that `labels` lacks is 0."""
    columns = dict(zip(labels, values.T, strict=True))
    missing = np.zeros(len(values), values.dtype)
    return np.stack([columns.get(label, missing) for label in wanted], axis=1)


def read_regression(bundle: Bundle) -> RegressionSet | None:
    """The set that a bundle holds; None if it has none.

    Raises:
        BundleError: the file holds something else.
    """
    if REGRESSION_FILE not in bundle.manifest.files:
        return None
    with open_arrays(bundle, REGRESSION_FILE, "held-out clips") as arrays:
        return RegressionSet(
            tuple(arrays["labels"].tolist()),
            arrays["patches"],
            arrays["clips"],
            arrays["targets"],
            arrays["known"],
        )


def make_regression_set(
    table: ClipTable,
    labels: Sequence[str],
    features: params.FeatureParams,
    progress: Progress | None = None,
) -> RegressionSet | None:
    """Of held-out clips, each class in turn, while there is room; None where none can be read.

    `labels` are what the set calls the classes of the table, in their order.
    """
    plain = replace(features, patch_hop_seconds=features.patch_seconds)
    few = replace(table, clips=_in_turn(table)[: MOST_PATCHES // PATCHES_OF_A_CLIP])
    patches: list[NDArray[np.float32]] = []
    clips: list[Clip] = []
    for clip, samples in selection.read_one_by_one(few, features.sample_rate_hz, progress):
        if not isinstance(samples, Quarantined):
            patches.append(_choose_patches(clip, samples, table.classes, plain))
            clips.append(clip)
    if not clips:
        return None
    targets = [clip_targets(clip, table.classes) for clip in clips]
    return RegressionSet(
        tuple(labels),
        np.concatenate(patches).astype(np.float16),
        np.repeat(np.arange(len(clips)), [len(each) for each in patches]),
        np.concatenate([each.values for each in targets]) > 0,
        np.concatenate([each.known for each in targets]) > 0,
    )


def _in_turn(table: ClipTable) -> tuple[Clip, ...]:
    """A clip of each class, then another of each, and so on; clips without a label last."""
    ranks: dict[str, int] = {}
    ranked: list[tuple[int, bool, int, Clip]] = []
    for clip in sorted(table.clips, key=lambda each: (each.group, str(each.path), each.onset)):
        name = min(clip.labels, default="")
        ranks[name] = ranks.get(name, -1) + 1
        ranked.append((ranks[name], not name, len(ranked), clip))
    return tuple(clip for _, _, _, clip in sorted(ranked, key=lambda each: each[:3]))


def _choose_patches(
    clip: Clip, samples: audio.Samples, classes: tuple[str, ...], features: params.FeatureParams
) -> NDArray[np.float32]:
    """A few from all over the clip, or from where its labels are known to be heard."""
    patches = log_mel_patches(samples, features)
    seconds = len(samples) / features.sample_rate_hz
    targets = patch_targets(clip, classes, len(patches), seconds, features)
    heard = np.flatnonzero(targets.values.any(axis=1))
    candidates = heard if len(heard) else np.arange(len(patches))
    count = min(len(candidates), PATCHES_OF_A_CLIP)
    return patches[candidates[np.linspace(0, len(candidates) - 1, count, dtype=int)]]


def is_required(label: str, required: frozenset[str]) -> bool:
    """Whether the label is required; if none is named, all are."""
    return not required or label in required


def missing_labels(labels: Iterable[str], required: frozenset[str]) -> list[str]:
    """Those that are required and not among `labels`."""
    return sorted(required.difference(labels))


def labels_without_holdout(
    labels: Sequence[str], required: frozenset[str], held_out: RegressionSet | None
) -> tuple[str, ...]:
    """The labels of which no held-out clip can tell whether another bundle forgets them.

    Each required label needs a clip of its own. If none is named, any clips will do: a bundle of 521
    labels hardly has some of each.
    """
    if held_out is not None and not required:
        return ()
    heard = frozenset[str]() if held_out is None else held_out.heard
    return tuple(label for label in labels if is_required(label, required) and label not in heard)


@dataclass(frozen=True, slots=True)
class LabelRegression:
    """One label on the same clips, before and after; shares in [0, 1], None where the clips do not say.

    Of few clips the average precision moves by points when two of them change places, though each is
    still heard: it is shown, and decides nothing.
    """

    label: str
    clips: int
    f1_before: float | None
    f1_after: float | None
    average_precision_before: float | None
    average_precision_after: float | None

    @property
    def lost_points(self) -> float:
        """Of F1, less than 0 is a gain; a hundred where the label is gone."""
        return round(100.0 * ((self.f1_before or 0.0) - (self.f1_after or 0.0)), _DIGITS)


def compare_labels(
    held_out: RegressionSet,
    before: Scores,
    before_labels: Sequence[str],
    after: Scores,
    after_labels: Sequence[str],
) -> tuple[LabelRegression, ...]:
    """Every label that the held-out clips hold; scores are means of clips, (N, K) by their labels.

    A label is said to be in a clip if it has the highest score of all, new labels included, and if the
    clip has none of the labels, if it reaches a half.
    """
    first = _metrics(held_out, before, before_labels)
    second = _metrics(held_out, after, after_labels)
    return tuple(
        LabelRegression(
            old.label, old.clips, old.f1, new.f1, old.average_precision, new.average_precision
        )
        for old, new in zip(first.labels, second.labels, strict=True)
        if old.clips
    )


def _metrics(held_out: RegressionSet, scores: Scores, labels: Sequence[str]) -> ClipMetrics:
    decided = np.where(
        held_out.targets.any(axis=1, keepdims=True),
        decide(scores, single_label=True),
        decide(scores, single_label=False),
    )
    return clip_metrics(
        held_out.targets,
        _columns(scores, labels, held_out.labels),
        held_out.labels,
        decided=_columns(decided, labels, held_out.labels),
        known=held_out.known,
    )

"""RegressionSet: a few held-out clips inside a bundle, with which later bundles are checked.

They are kept as log-mel frames, not as audio: any model with the same front end can be judged by them
when the data is gone, whatever its patch hop, and they cannot be listened to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from listener.detection import audio, params
from listener.detection.bundle import Bundle
from listener.detection.features import log_mel_patches
from listener.detection.scores import slot_boundaries
from trainer.data import activity
from trainer.data.clips import Clip, ClipTable, Quarantined
from trainer.data.targets import patch_targets
from trainer.evaluation import scored_file, selection
from trainer.export.arrays import arrays_as_bytes, open_arrays
from trainer.terminal import Progress

REGRESSION_FILE = "regression.npz"
MOST_CLIPS = 100  # 6 MB
STRETCH_SECONDS = 4.8  # of a clip: several medians long
_PATCHES_AT_ONCE = 16

ScorePatches = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # (B, 96, 64) -> (B, K or D)
_Number = TypeVar("_Number", np.bool_, np.intp)


@dataclass(frozen=True, slots=True)
class RegressionSet:
    """N clips, each as one stretch of log-mel frames, from which patches of any hop are cut.

    `frames` is float16 (F, 64), all stretches one after the other, `lengths` (N,) the frames of each;
    `targets` and `known` are bool (N, K) with `labels` (slugs) as columns.
    """

    labels: tuple[str, ...]
    frames: NDArray[np.float16]
    lengths: NDArray[np.int64]
    targets: NDArray[np.bool_]
    known: NDArray[np.bool_]

    @property
    def heard(self) -> frozenset[str]:
        """The labels that some clip holds."""
        columns = np.flatnonzero(self.targets.any(axis=0)).tolist()
        return frozenset(self.labels[column] for column in columns)

    def infer(
        self, infer: ScorePatches, features: params.FeatureParams
    ) -> tuple[NDArray[np.float32], ...]:
        """What a network gives for the patches of each clip, in order, at the hop of the features."""
        stretches = np.split(self.frames, np.cumsum(self.lengths)[:-1])
        frames, hop = features.patch_frames, features.patch_hop_frames
        starts = [range(0, len(stretch) - frames + 1, hop) for stretch in stretches]
        patches = [
            np.stack([stretch[start : start + frames] for start in own]).astype(np.float32)
            for stretch, own in zip(stretches, starts, strict=True)
        ]
        every = np.concatenate(patches)
        batches = range(0, len(every), _PATCHES_AT_ONCE)
        given = np.concatenate([infer(every[each : each + _PATCHES_AT_ONCE]) for each in batches])
        ends = np.cumsum([len(each) for each in patches])[:-1]
        return tuple(np.split(given, ends))

    def targets_of(self, labels: Sequence[str]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Targets and known of these labels, (N, K); one that the set does not know is in no clip."""
        new = [label not in self.labels for label in labels]
        return (
            columns_of(self.targets, self.labels, labels),
            columns_of(self.known, self.labels, labels) | np.array(new),
        )

    def joined_with(self, other: RegressionSet) -> RegressionSet:
        """Its clips, then the other's; a label that only one set has is unknown in the other's clips."""
        labels = tuple(dict.fromkeys((*self.labels, *other.labels)))
        sets = (self, other)
        return RegressionSet(
            labels,
            np.concatenate((self.frames, other.frames)),
            np.concatenate((self.lengths, other.lengths)),
            np.concatenate([columns_of(each.targets, each.labels, labels) for each in sets]),
            np.concatenate([columns_of(each.known, each.labels, labels) for each in sets]),
        )

    def to_bytes(self) -> bytes:
        """The content of REGRESSION_FILE."""
        return arrays_as_bytes(
            labels=np.array(self.labels, np.str_),
            frames=self.frames,
            lengths=self.lengths,
            targets=self.targets,
            known=self.known,
        )


def columns_of(
    values: NDArray[_Number], labels: Sequence[str], wanted: Sequence[str]
) -> NDArray[_Number]:
    """The columns of the wanted labels, of (N, K); one that `labels` lacks is 0."""
    columns = dict(zip(labels, values.T, strict=True))
    missing = np.zeros(len(values), values.dtype)
    return np.stack([columns.get(label, missing) for label in wanted], axis=1)


def files_of(
    scores: Sequence[NDArray[np.float32]], features: params.FeatureParams
) -> tuple[scored_file.ScoredFile, ...]:
    """The scores of each held-out clip, (n, K), as those of a file, with the slots that they stand for."""
    files = []
    for number, each in enumerate(scores):
        seconds = features.patch_seconds + (len(each) - 1) * features.patch_hop_seconds
        boundaries = slot_boundaries(len(each), seconds, features)
        files.append(scored_file.ScoredFile(f"held-out {number}", each, boundaries))
    return tuple(files)


def read_regression(bundle: Bundle) -> RegressionSet | None:
    """The set that a bundle holds; None if it has none.

    Raises:
        BundleError: the file holds something else.
    """
    if REGRESSION_FILE not in bundle.manifest.files:
        return None
    with open_arrays(bundle, REGRESSION_FILE, "held-out clips") as arrays:
        if "patches" in arrays:  # of version 0.2.0: up to five pieces of a clip, here joined
            patches = arrays["patches"]
            frames = patches.reshape(-1, patches.shape[-1])
            lengths = np.bincount(arrays["clips"]) * patches.shape[1]
        else:
            frames, lengths = arrays["frames"], arrays["lengths"]
        labels = tuple(arrays["labels"].tolist())
        return RegressionSet(labels, frames, lengths, arrays["targets"], arrays["known"])


def make_regression_set(
    table: ClipTable,
    labels: Sequence[str],
    features: params.FeatureParams,
    progress: Progress | None = None,
) -> RegressionSet | None:
    """Of held-out clips, each class in turn, while there is room; None where none can be read.

    `labels` are what the set calls the classes of the table, in their order.
    """
    few = replace(table, clips=_in_turn(table)[:MOST_CLIPS])
    stretches: list[_Stretch] = []
    for clip, samples in selection.read_one_by_one(few, features.sample_rate_hz, progress):
        if not isinstance(samples, Quarantined):
            stretches.append(_choose_stretch(clip, samples, table.classes, features))
    if not stretches:
        return None
    return RegressionSet(
        tuple(labels),
        np.concatenate([each.frames for each in stretches]).astype(np.float16),
        np.array([len(each.frames) for each in stretches]),
        np.stack([each.targets for each in stretches]),
        np.stack([each.known for each in stretches]),
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


class _Stretch(NamedTuple):
    """Frames (F, 64) of a clip, and what is in them, (K,)."""

    frames: NDArray[np.float32]
    targets: NDArray[np.bool_]
    known: NDArray[np.bool_]


def _choose_stretch(
    clip: Clip, samples: audio.Samples, classes: tuple[str, ...], features: params.FeatureParams
) -> _Stretch:
    """At most STRETCH_SECONDS of a clip, where most of its labels is heard, and the most sound."""
    levels = activity.patch_levels(samples, features)
    seconds = len(samples) / features.sample_rate_hz
    said = patch_targets(clip, classes, len(levels), seconds, features)
    count = min(
        1 + round((STRETCH_SECONDS - features.patch_seconds) / features.patch_hop_seconds),
        len(levels),
    )
    audible = (levels > levels.max() - activity.QUIET_BELOW_LOUDEST_DB).astype(np.float64)
    heard = said.values.any(axis=1) if said.values.any() else np.ones(len(levels))
    worth = np.convolve(heard * audible, np.ones(count), "valid").round()
    best = np.flatnonzero(worth == worth.max())
    first = int(best[len(best) // 2])  # what is short is in the middle
    start = first * features.patch_hop_samples
    length = features.window_samples + (count - 1) * features.patch_hop_samples
    rows = slice(first, first + count)
    return _Stretch(
        _frames_of(samples[start : start + length], features, length),
        said.values[rows].max(axis=0) > 0,
        said.known[rows].min(axis=0) > 0,
    )


def _frames_of(
    samples: audio.Samples, features: params.FeatureParams, length: int
) -> NDArray[np.float32]:
    """The log-mel frames of samples, with silence up to this length.

    Patches that do not overlap, one after the other. Where preprocessing brings each of them to a level,
    a patch across two of them has two gains: nearly what the station would see.
    """
    padded = np.pad(samples, (0, length - len(samples)))
    whole = log_mel_patches(padded, replace(features, patch_hop_seconds=features.patch_seconds))
    count = (length - features.stft_window_samples) // features.stft_hop_samples + 1
    return whole.reshape(-1, features.mel_bands)[:count]


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

"""What heads say of clips that they were not trained on: how right, how calibrated, where events open."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit, ndtr, softmax

from listener.detection.policy import LabelPolicy
from trainer.background.bank import PATCH_HOP_SECONDS
from trainer.data.clips import BACKGROUND, Clip
from trainer.evaluation.clip_metrics import calibration_error, reliability_bins
from trainer.model.settings import Activation
from trainer.model.validation import HEARD

Floats = NDArray[np.float32]

_LEAST = 1e-6
_SCALES = (0.5, 3.0)  # of logits: a few clips that are all right would ask for any number
# Thresholds
BANK_CLIPS_FIRING = 0.03  # of held-out bank clips, by one label: it collides with other sounds
WORTH = 1.0  # of a point of bank clips that fire, in points of recall; see decision 0079
SPREAD = 0.5  # in logits, of peaks around those few that are known
LEAST_THRESHOLD, MOST_THRESHOLD, THRESHOLDS = 0.5, 0.95, 40  # as many in even steps of logits
DEFAULT_POLICY = LabelPolicy()  # until `trainer calibrate` measures the user's own background
OFF_SHARE = DEFAULT_POLICY.off_threshold / DEFAULT_POLICY.on_threshold


@dataclass(frozen=True, slots=True)
class Calibration:
    """Scores are the squashed logits times `scale`, those of the labels plus `offset`.

    Beside background, the offset undoes how much of what was trained on was background.
    """

    scale: float = 1.0
    offset: float = 0.0

    def scaled(self, logits: Floats, labels: int) -> Floats:
        """Logits (..., K), the labels first."""
        found = self.scale * logits
        found[..., :labels] += self.offset
        return np.asarray(found, np.float32)

    def apply(self, head: keras.Model, labels: int) -> None:
        """Fold it into the head's last layer, whose first outputs are the labels."""
        layer = head.get_layer("logits")
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel * self.scale, self.scaled(bias, labels)])


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Policies by label; labels whose own clips are no higher than the bank's; the share that still fires.

    `firing` is of held-out bank clips, None without a bank.
    """

    policies: Mapping[str, LabelPolicy]
    colliding: tuple[str, ...]
    firing: float | None


@dataclass(frozen=True, slots=True)
class HeldClip:
    """A clip and the logits of its patches, (patches, K), by a head that was not trained on it."""

    clip: Clip
    logits: Floats


@dataclass(frozen=True, slots=True)
class HeldScores:
    """Clips with logits of `classes`; `bank` has those of held-out bank clips, (patches, K) each."""

    classes: tuple[str, ...]
    activation: Activation
    clips: tuple[HeldClip, ...]
    bank: tuple[Floats, ...] = ()

    def joined_with(self, other: HeldScores) -> HeldScores:
        """The clips of both, and the bank of both."""
        return HeldScores(
            self.classes,
            self.activation,
            (*self.clips, *other.clips),
            (*self.bank, *other.bank),
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes without background."""
        return tuple(name for name in self.classes if name != BACKGROUND)

    def scores(self, logits: Floats, calibration: Calibration) -> Floats:
        """Of patches, (patches, labels)."""
        scaled = calibration.scaled(logits, len(self.labels))
        squashed = expit(scaled) if self.activation == "sigmoid" else softmax(scaled, axis=1)
        return np.asarray(squashed[:, : len(self.labels)], np.float32)

    def right(self, calibration: Calibration) -> NDArray[np.bool_]:
        """Whether each clip is taken for what it is, (n,).

        A clip with labels: its highest mean score is that of one of them, and where there is one class
        alone, a patch of it scores HEARD. A clip without: no mean score reaches HEARD.
        """
        found = []
        for each in self.clips:
            scores = self.scores(each.logits, calibration)
            means = scores.mean(axis=0)
            own = each.clip.labels & set(self.labels)
            if own:
                right = self.labels[int(means.argmax())] in own
                found.append(right and (len(self.labels) > 1 or scores.max() >= HEARD))
            else:
                found.append(bool(means.max() < HEARD))
        return np.array(found, np.bool_)

    def loss(self, calibration: Calibration) -> float:
        """The mean cross-entropy of clips by their mean scores, background clips and the bank included."""
        means, targets = self._means(calibration)
        means = np.clip(means, _LEAST, 1.0 - _LEAST)
        if self.activation == "softmax":
            rest = np.clip(1.0 - means.sum(axis=1), _LEAST, 1.0)
            heard = np.where(targets, np.log(means), 0.0).sum(axis=1)
            losses = -np.where(targets.any(axis=1), heard, np.log(rest))
        else:
            losses = -np.where(targets, np.log(means), np.log(1.0 - means))
        # the bank is many times the user's clips: it counts as much as they do
        own, bank = losses[: len(self.clips)], losses[len(self.clips) :]
        return float(own.mean() + (bank.mean() if len(bank) else 0.0))

    def _means(self, calibration: Calibration) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Mean scores of clips, then of bank clips, and which labels are there; (n, labels)."""
        clips = [each.logits for each in self.clips]
        bank = list(self.bank)
        means = [self.scores(each, calibration).mean(axis=0) for each in (*clips, *bank)]
        targets = [[name in each.clip.labels for name in self.labels] for each in self.clips]
        targets += [[False] * len(self.labels)] * len(bank)
        return np.array(means, np.float64), np.array(targets, np.bool_)

    def calibrate(self) -> Calibration:
        """The scale and the offset with the lowest loss; no offset without anything it could be against."""
        if not self.clips:
            return Calibration()
        bounds = [(math.log(_SCALES[0]), math.log(_SCALES[1]))]
        if self.activation == "sigmoid" or self.bank:
            bounds.append((-4.0, 4.0))

        def loss(values: NDArray[np.float64]) -> float:
            return self.loss(Calibration(math.exp(values[0]), float(sum(values[1:]))))

        simplex = np.vstack((np.zeros(len(bounds)), 0.7 * np.eye(len(bounds))))
        found = minimize(
            loss,
            np.zeros(len(bounds)),
            method="Nelder-Mead",
            bounds=bounds,
            options={"initial_simplex": simplex, "xatol": 0.02, "fatol": 1e-4, "maxiter": 60},
        )
        return Calibration(math.exp(found.x[0]), float(sum(found.x[1:])))

    def calibration_error(self, calibration: Calibration) -> float:
        """Expected calibration error, a share: the highest score of a clip, as a share of all labels'.

        With one label, its mean score.
        """
        if not self.clips:
            return 0.0
        means, targets = self._means(calibration)
        means, targets = means[: len(self.clips)], targets[: len(self.clips)]
        if self.activation == "softmax" and len(self.labels) > 1:
            labelled = targets.any(axis=1)
            means, targets = means[labelled], targets[labelled]
            means = means / np.maximum(means.sum(axis=1, keepdims=True), _LEAST)
        best = means.argmax(axis=1)
        rows = np.arange(len(best))
        return calibration_error(
            reliability_bins(means[rows, best].astype(np.float32), targets[rows, best])
        )

    def place_thresholds(
        self, hop_seconds: float, calibration: Calibration, bases: Mapping[str, LabelPolicy]
    ) -> Thresholds:
        """A policy for each label between held-out bank clips and its own, by peaks as events see them.

        `bases` are the labels' policies until now, of which the smoothing counts. A label that many bank
        clips fire nevertheless is named.
        """
        chosen = [bases.get(label, DEFAULT_POLICY) for label in self.labels]
        own = self._peaks([each.logits for each in self.clips], calibration, chosen, hop_seconds)
        bank = self._peaks(self.bank, calibration, chosen, PATCH_HOP_SECONDS)
        policies: dict[str, LabelPolicy] = {}
        colliding = []
        for column, label in enumerate(self.labels):
            rows = [place for place, each in enumerate(self.clips) if label in each.clip.labels]
            threshold = place_between(own[rows, column], bank[:, column], len(self.labels))
            if len(bank) and (bank[:, column] >= threshold).mean() > BANK_CLIPS_FIRING:
                colliding.append(label)
            policies[label] = replace(
                chosen[column], on_threshold=threshold, off_threshold=OFF_SHARE * threshold
            )
        on = np.array([each.on_threshold for each in policies.values()])
        firing = float((bank >= on).any(axis=1).mean()) if len(bank) else None
        return Thresholds(policies, tuple(colliding), firing)

    def _peaks(
        self,
        clips: Sequence[Floats],
        calibration: Calibration,
        policies: Sequence[LabelPolicy],
        hop_seconds: float,
    ) -> Floats:
        """Of each clip and label through that label's own median, (clips, labels)."""
        lengths = [policy.smoothing_patches(hop_seconds) for policy in policies]
        peaks = np.zeros((len(clips), len(self.labels)), np.float32)
        for row, logits in enumerate(clips):
            scores = self.scores(logits, calibration)
            by_length = {length: smoothed_peaks(scores, length) for length in set(lengths)}
            peaks[row] = [by_length[length][column] for column, length in enumerate(lengths)]
        return peaks


def place_between(own: Floats, bank: Floats, labels: int) -> float:
    """The threshold of one of so many labels that loses least, by the peaks of its clips and of the bank's.

    What counts is the mean recall of the labels, and the bank clips on which any of them fires. So the more
    labels there are, the less a clip of one of them counts beside a clip of the bank.
    """
    if not len(own) or not len(bank):
        return DEFAULT_POLICY.on_threshold
    steps = np.linspace(logit(LEAST_THRESHOLD), logit(MOST_THRESHOLD), THRESHOLDS)[:, None]
    own, bank = (logit(np.clip(each, _LEAST, 1.0 - _LEAST)) for each in (own, bank))
    lost = ndtr((steps - own) / SPREAD).mean(axis=1) / labels
    firing = ndtr((bank - steps) / SPREAD).mean(axis=1)
    return float(expit(steps[int(np.argmin(lost + WORTH * firing)), 0]))


def smoothed_peaks(scores: Floats, length: int) -> Floats:
    """The highest running median of each label, (patches, labels) -> (labels,).

    Of fewer patches it is their median.
    """
    if len(scores) <= length:
        return np.asarray(np.median(scores, axis=0), np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(scores, length, axis=0)
    return np.asarray(np.median(windows, axis=-1).max(axis=0), np.float32)

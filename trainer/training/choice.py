"""Which head a bundle gets: logistic regression or the trained network, by clips that neither saw."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np

from trainer.model.logistic import LogisticFitter
from trainer.model.network import Moments
from trainer.training.held_scores import Calibration, Floats, HeldClip, HeldScores
from trainer.training.recipe import Recipe
from trainer.training.rows import training_rows
from trainer.training.training_set import TrainingSet

# scikit-learn's C where each clip weighs 1. On four data sets 0.3 and 1 were within 0.5 points of the
# best of 0.03 to 3; C = 0.01 on unweighted patches of 5 s clips, ten of them, is 0.1 here.
STRENGTHS = (0.3, 1.0)
USUAL_STRENGTH = 0.3
_BATCH_PATCHES = 2048
FEW_CLIPS = 150  # with fewer, every fold is held out once: one fold alone says too little
FLOOR_POINTS = 1.0  # by which regression on clips alone must win before noisy copies are given up


@dataclass(frozen=True, slots=True)
class Candidate:
    """A kind of head, its strength (of regressions) and what it says of held clips."""

    name: str
    held: HeldScores
    calibration: Calibration
    strength: float = USUAL_STRENGTH
    copies: bool = True

    @property
    def accuracy(self) -> float:
        """The share of held clips that are taken for what they are."""
        return float(self.held.right(self.calibration).mean()) if self.held.clips else 0.0

    def __str__(self) -> str:
        """`logistic regression 96.1 %`."""
        return f"{self.name} {100 * self.accuracy:.1f} %"

    def in_folds(self, folds: set[int]) -> Candidate:
        """The same, judged by the clips of these folds alone."""
        clips = tuple(each for each in self.held.clips if each.clip.fold in folds)
        return replace(self, held=replace(self.held, clips=clips))

    def beats(self, other: Candidate) -> bool:
        """Whether it is right about more of the same held clips, by more than chance.

        Chance is a standard deviation of McNemar's count: the root of how many only one is right about.
        """
        own, others = (each.held.right(each.calibration) for each in (self, other))
        won, lost = int((own & ~others).sum()), int((others & ~own).sum())
        return won - lost > math.sqrt(won + lost)

    @property
    def loss(self) -> float:
        """Calibrated, so that a sharper head is not preferred for being sharper."""
        return self.held.loss(self.calibration)


def held_scores(training_set: TrainingSet, recipe: Recipe, head: keras.Model) -> HeldScores:
    """What a head says of the clips of a training set, and of the held-out part of the bank."""
    clips = training_set.clips
    patches = [clips.load(index).inputs for index in range(len(clips.clips))]
    bank = training_set.held_bank
    heard = () if bank is None else bank.by_clip()
    logits = _logits(head, (*patches, *heard))
    held = tuple(HeldClip(each.clip, own) for each, own in zip(clips.clips, logits, strict=False))
    return HeldScores(training_set.classes, recipe.fit.activation, held, tuple(logits[len(held) :]))


def _logits(head: keras.Model, clips: Sequence[Floats]) -> list[Floats]:
    """Of each clip's patches."""
    if not clips:
        return []
    patches = np.concatenate(clips)
    logits = np.concatenate(
        [
            np.asarray(head(patches[start : start + _BATCH_PATCHES], training=False), np.float32)
            for start in range(0, len(patches), _BATCH_PATCHES)
        ]
    )
    return np.split(logits, np.cumsum([len(each) for each in clips])[:-1])


def rounds(
    both: TrainingSet, validation: TrainingSet | None
) -> Iterator[tuple[TrainingSet, TrainingSet]]:
    """What is trained on and what is held: the validation clips, or of few clips each fold in turn."""
    clips = both.clips.table.clips
    folds = sorted({clip.fold for clip in clips})
    if validation is not None and len(clips) > FEW_CLIPS:
        folds_held = {clip.fold for clip in validation.clips.table.clips}
        yield both.in_folds(*(fold for fold in folds if fold not in folds_held)), validation
    elif len(folds) > 1:
        for held in folds:
            yield both.in_folds(*(fold for fold in folds if fold != held)), both.in_folds(held)


class Regressions:
    """Logistic regression on the clips of a training set, and with their noisy copies.

    The head `with_copies` is the mean of the two: copies alone cost clean clips up to two points, clips
    alone know no noise.
    """

    def __init__(self, training_set: TrainingSet, recipe: Recipe) -> None:
        activation = recipe.fit.activation
        self._clips = LogisticFitter(training_rows(training_set, recipe, copies=False), activation)
        self.moments = self._clips.moments
        self._copies = None
        if len(training_set.tables) > 1:
            rows = training_rows(training_set, recipe)
            self._copies = LogisticFitter(rows, activation, self.moments)

    def fit(self, strength: float) -> dict[bool, keras.Model]:
        """A head with copies (True) and one of clips alone."""
        clips = self._clips.fit(strength)
        if self._copies is None:
            return {True: clips, False: clips}
        both = self._copies.fit(strength)
        pairs = zip(clips.get_weights(), both.get_weights(), strict=True)
        both.set_weights([(one + other) / 2.0 for one, other in pairs])
        return {True: both, False: clips}


def regressions(
    both: TrainingSet, validation: TrainingSet | None, recipe: Recipe
) -> tuple[Candidate, Candidate] | None:
    """The best strength of logistic regression, and the same without copies; None without held clips."""
    known: dict[tuple[float, bool], HeldScores] = {}
    for train, held in rounds(both, validation):
        fitted = Regressions(train, recipe)
        for strength in STRENGTHS:
            for copies, head in fitted.fit(strength).items():
                scores = held_scores(held, recipe, head)
                key = strength, copies
                known[key] = known[key].joined_with(scores) if key in known else scores
    if not known:
        return None
    candidates = [
        Candidate("logistic regression", held, held.calibrate(), strength, copies)
        for (strength, copies), held in known.items()
    ]
    best, floor = (
        min(
            (each for each in candidates if each.copies == wanted),
            key=lambda each: (-each.accuracy, each.loss),
        )
        for wanted in (True, False)
    )
    return best, floor


def choose_head(
    both: TrainingSet,
    validation: TrainingSet | None,
    recipe: Recipe,
    train_network: Callable[[], Candidate | None],
) -> tuple[Candidate, str]:
    """What to train on everything, and why, in a line. Without held clips the usual regression.

    The network is trained only where regression leaves something to gain.
    """
    found = regressions(both, validation, recipe)
    if found is None:
        nothing = HeldScores(both.classes, recipe.fit.activation, ())
        usual = Candidate("logistic regression", nothing, Calibration())
        return usual, "head: logistic regression; no clips to judge it by"
    perfect = found[0].accuracy == 1.0
    return choose(*found, None if perfect else train_network())


def choose(
    regression: Candidate, floor: Candidate, network: Candidate | None
) -> tuple[Candidate, str]:
    """The network where it beats regression on its held clips, else a regression; and why, in a line.

    Regression on clips alone is kept only where noisy copies cost more than they are worth. One clip
    more of a few is no evidence: what chance prefers is worse elsewhere as often as better.
    """
    more = floor.accuracy > regression.accuracy + FLOOR_POINTS / 100.0
    if more and floor.beats(regression):
        regression = floor
    if network is None or not network.held.clips:
        return regression, f"head: {regression} on {len(regression.held.clips)} held clips"
    folds = {each.clip.fold for each in network.held.clips}
    same = regression.in_folds(folds)
    kept = network if network.beats(same) else regression
    where = f"{len(network.held.clips)} clips of fold {', '.join(map(str, sorted(folds)))}"
    return kept, f"head: {same}, {network} on {where}: {kept.name} kept"


def fit_regression(
    both: TrainingSet, recipe: Recipe, candidate: Candidate
) -> tuple[Moments, keras.Model]:
    """The kept regression on everything."""
    fitted = Regressions(both, recipe)
    return fitted.moments, fitted.fit(candidate.strength)[candidate.copies]

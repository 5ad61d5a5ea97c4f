"""How well a lesson does: each fold in turn is held out, the others are learnt from."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import optuna

from trainer.errors import FitError
from trainer.model.validation import OnEpoch
from trainer.search.fold_mean import mean_over_folds
from trainer.search.lessons import make_lesson
from trainer.search.materials import Materials
from trainer.training.recipe import Lesson
from trainer.training.train import clip_accuracy, split, teach
from trainer.training.training_set import Material

ASTRAY = "astray"  # the attribute of a trial whose training failed: why

_LEAST_FOLDS_TO_STOP_BY = 2  # one to learn from, one that tells when to stop


@dataclass(frozen=True, slots=True)
class HeldOutFolds:
    """An `Objective`: the clip accuracy over the folds, [0, 1], none of which the lesson has heard.

    As in `trainer fit`, one of the folds learnt from tells when to stop: the next one.
    """

    folds: tuple[int, ...]
    base: Lesson
    materials: Materials

    def __call__(self, trial: optuna.Trial) -> float:
        """Teach and test, fold by fold.

        Raises:
            TrialPruned: it does worse than half of the others, or its training went astray.
            DataError, BackboneError: see `gather` and `teach`.
        """
        lesson = make_lesson(trial.params, self.base)
        material = self.materials.of(lesson)
        test = partial(self._test, trial, material, lesson)
        return mean_over_folds(trial, self.folds, test)

    def _test(self, trial: optuna.Trial, material: Material, lesson: Lesson, fold: int) -> float:
        backbone = self.materials.backbone
        others = tuple(other for other in self.folds if other != fold)
        parts = split(material, others, self._fold_to_stop_by(fold))
        try:
            taught = teach(parts, backbone, lesson, _quietly)
        except FitError as error:
            trial.set_user_attr(ASTRAY, str(error))
            raise optuna.TrialPruned from error
        tested = material.in_folds(fold)
        return clip_accuracy(
            taught, tested.clips if taught.thawed is None else tested.clips_as_log_mel()
        )

    def _fold_to_stop_by(self, held_out: int) -> int | None:
        if len(self.folds) <= _LEAST_FOLDS_TO_STOP_BY:
            return None
        return self.folds[(self.folds.index(held_out) + 1) % len(self.folds)]


@contextlib.contextmanager
def _quietly(_what: str, _epochs: int) -> Iterator[OnEpoch]:
    """No line for each of many trainings."""
    yield lambda _epoch: None

"""ESC-10 by its official folds, a clip a class or more, and under noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from benchmarks.figures import Aim, Figure
from benchmarks.training.noises import KINDS, add_kind
from benchmarks.training.school import FOLDS, School
from trainer.data.preparation import Preparation
from trainer.training.train import Trained, clip_accuracy
from trainer.training.training_set import TrainingSet

SNRS_DB = (20.0, 10.0, 5.0, 0.0, -5.0)
SHOTS = (1, 2, 5, 10)
DRAWS = 4  # choices of the few clips, for each fold
_TEST_SEED = 1_000_000  # far from the seeds of any training


def measure_folds(school: School) -> list[Figure]:
    """Each fold in turn is tested on; of the other four the next one tells when to stop."""
    material = school.gather()
    values = tuple(
        100 * clip_accuracy(taught, material.in_folds(fold).clips)
        for fold, taught in _teach_folds(school, material)
    )
    mean = (float(np.mean(values)),)
    return [
        Figure("esc10", "clip accuracy, each official fold", "%", values),
        Figure("esc10", "clip accuracy, mean of the folds", "%", mean, Aim("at least", 98.5)),
    ]


def _teach_folds(school: School, material: TrainingSet) -> Iterator[tuple[int, Trained]]:
    for fold in FOLDS:
        rest = tuple(other for other in FOLDS if other != fold)
        next_one = fold % len(FOLDS) + 1
        yield fold, school.teach(material, rest, next_one)


def measure_few_shots(school: School) -> list[Figure]:
    """K clips of each class out of four folds, tested on the fifth; no validation."""
    material = school.gather()
    return [_measure_shots(school, material, count) for count in SHOTS]


def _measure_shots(school: School, material: TrainingSet, count: int) -> Figure:
    values = []
    for draw in range(DRAWS):
        for fold in FOLDS:
            rest = material.in_folds(*(other for other in FOLDS if other != fold))
            few = _choose(rest, count, np.random.default_rng([draw, fold]))
            taught = school.teach(few, FOLDS, None)
            values.append(100 * clip_accuracy(taught, material.in_folds(fold).clips))
    what = f"clip accuracy, {count} a class, mean of {len(values)} draws"
    aim = Aim("at least", 95.0) if count == 5 else None
    return Figure("few-shot", what, "%", (float(np.mean(values)),), aim)


def _choose(material: TrainingSet, count: int, random: np.random.Generator) -> TrainingSet:
    """`count` clips of each class, and their copies; the background stays."""
    clips = material.clips.table.clips
    places = random.permutation(len(clips))
    chosen = set[int]()
    for name in material.classes:
        of_class = [int(place) for place in places if name in clips[place].labels]
        chosen.update(of_class[:count])
    tables = tuple(
        replace(table, clips=tuple(table.clips[place] for place in sorted(chosen)))
        for table in material.tables
    )
    return replace(material, tables=tables)


def measure_noise(school: School) -> list[Figure]:
    """The folds again, the tested clips under noise that no training has heard."""
    material = school.gather()
    taught = dict(_teach_folds(school, material))
    return [
        _measure_kind(school, material, taught, kind, snr_db)
        for kind in KINDS
        for snr_db in SNRS_DB
    ]


def _measure_kind(
    school: School, material: TrainingSet, taught: dict[int, Trained], kind: str, snr_db: float
) -> Figure:
    change = partial(add_kind, kind=kind, snr_db=snr_db)
    noisy = school.embed(Preparation(f"benchmark: {kind} at {snr_db:g} dB", change, _TEST_SEED))
    noisy = replace(noisy, classes=material.classes)
    values = [100 * clip_accuracy(each, noisy.in_folds(fold)) for fold, each in taught.items()]
    aim = Aim("at least", 75.0) if snr_db == 0 and not KINDS[kind].seen else None
    seen = "seen" if KINDS[kind].seen else "unseen"
    what = f"clip accuracy in {kind} ({seen}), {snr_db:g} dB"
    return Figure("snr", what, "%", (float(np.mean(values)),), aim)

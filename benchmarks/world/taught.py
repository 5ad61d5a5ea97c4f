"""`trainer fit` on data that chose nothing of it, beside logistic regression on the same embeddings."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import numpy as np

from benchmarks.figures import Aim, Figure
from benchmarks.world.datasets import Row
from benchmarks.world.judge import Experiment, Judge
from benchmarks.world.open_set import measure_open_set, measure_recall
from benchmarks.world.packages import World

_DRAWS = 3
_SHOTS = 5
_ONE_CLASS_CLIPS = 20
_RECALL = 0.92


class TaughtPart(StrEnum):
    """What can be measured by itself."""

    FOLDS = "folds"
    FEW_SHOT = "few-shot"
    ONE_CLASS = "one-class"
    OPEN_SET = "open-set"
    RECALL = "recall"


def measure_folds(judge: Judge, out: Path) -> list[Figure]:
    """Each fold tested once by what is learnt from the others."""
    folds = sorted({row.fold for row in judge.rows})
    pairs = []
    for fold in folds:
        train = [row for row in judge.rows if row.fold != fold]
        test = [row for row in judge.rows if row.fold == fold]
        own, rival = judge.accuracy(Experiment(train, test), out / f"{judge.name}-whole-{fold}")
        pairs.append((own, rival, len(test)))
    weights = [count for *_, count in pairs]
    own = float(np.average([each[0] for each in pairs], weights=weights))
    rival = float(np.average([each[1] for each in pairs], weights=weights))
    what = f"{judge.name}: {len(judge.rows)} clips, {len(folds)} folds"
    return [
        Figure("accuracy", f"{what}, trainer fit", "%", (own,), Aim("at least", rival)),
        Figure("accuracy", f"{what}, logistic regression", "%", (rival,)),
    ]


def measure_few_shot(judge: Judge, out: Path) -> list[Figure]:
    """Five clips a class, three draws; every other recording is tested."""
    own, rival = [], []
    for draw in range(_DRAWS):
        experiment = draw_few(judge.rows, _SHOTS, draw)
        found = judge.accuracy(experiment, out / f"{judge.name}-few-{draw}")
        own.append(found[0])
        rival.append(found[1])
    what = f"{judge.name}: {_SHOTS} clips a class, {_DRAWS} draws"
    mean = float(np.mean(rival))
    return [
        Figure(
            "few-shot, mean", f"{what}, trainer fit", "%", (float(np.mean(own)),),
            Aim("at least", mean),
        ),
        Figure("few-shot, mean", f"{what}, logistic regression", "%", (mean,)),
        Figure(
            "few-shot, worst below mean", f"{what}, trainer fit", "points",
            (float(np.mean(own) - min(own)),), Aim("at most", 4.0),
        ),
    ]  # fmt: skip


def draw_few(rows: Sequence[Row], shots: int, seed: int) -> Experiment:
    """Some clips of each class to train on, of as many recordings as can be; other recordings to test."""
    random = np.random.default_rng(seed)
    chosen: list[Row] = []
    for category in sorted({row.category for row in rows}):
        own = [row for row in rows if row.category == category]
        by_recording: defaultdict[str, list[Row]] = defaultdict(list)
        for row in own:
            by_recording[row.src_file].append(row)
        recordings = sorted(by_recording)
        order = [recordings[n] for n in random.permutation(len(recordings))]
        keep = order[: max(1, min(shots, len(order) // 2))]
        pool = [row for recording in keep for row in by_recording[recording]]
        chosen += pool[:shots]
    trained = {row.src_file for row in chosen}
    test = [row for row in rows if row.src_file not in trained]
    return Experiment(_in_folds(chosen), test)


def _in_folds(rows: Sequence[Row]) -> list[Row]:
    """Folds for few clips: the recordings of a class in turn."""
    recordings: defaultdict[str, dict[str, int]] = defaultdict(dict)
    found = []
    for row in rows:
        own = recordings[row.category]
        fold = own.setdefault(row.src_file, 1 + len(own) % 2)
        found.append(Row(row.filename, row.category, row.src_file, fold))
    return found


def measure_one_class(judge: Judge, out: Path) -> list[Figure]:
    """Twenty clips of one class beside background: events in the clips of other recordings.

    The class is each of those that have enough clips, in turn.
    """
    figures = []
    for category in sorted({row.category for row in judge.rows}):
        experiment = one_class(judge.rows, category)
        if experiment is None:
            continue
        bundle = judge.fit(experiment.train, out / f"{judge.name}-only-{category}")
        heard = [bool(found) for found in judge.events(bundle, experiment.test)]
        truth = [row.category == category for row in experiment.test]
        right = sum(h and t for h, t in zip(heard, truth, strict=True))
        what = f"{judge.name}: {category} of {sum(truth)} among {len(truth)}"
        aim = Aim("at least", 100 * _RECALL)
        figures += [
            Figure("one class, precision", what, "%", (100 * right / max(sum(heard), 1),), aim),
            Figure("one class, recall", what, "%", (100 * right / max(sum(truth), 1),), aim),
        ]  # fmt: skip
    return figures


def one_class(rows: Sequence[Row], category: str) -> Experiment | None:
    """At most 20 clips of a class and as background half of the others' recordings; the rest to test."""
    draw = draw_few(rows, _ONE_CLASS_CLIPS, 0)
    own = [row for row in draw.train if row.category == category]
    tested = [row for row in draw.test if row.category == category]
    if len(own) < _ONE_CLASS_CLIPS or len(tested) < _SHOTS:
        return None
    background = [
        Row(row.filename, "background", row.src_file, row.fold)
        for row in draw.train
        if row.category != category
    ]
    return Experiment([*own, *background], draw.test)


def measure(
    world: World, tables: Sequence[Path], backbone: Path, root: Path, parts: Sequence[TaughtPart]
) -> list[Figure]:
    """The parts on each data set."""
    judges = [Judge(table, backbone, root / "cache") for table in tables]
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        for judge in judges:
            if TaughtPart.FOLDS in parts:
                figures += measure_folds(judge, out)
            if TaughtPart.FEW_SHOT in parts:
                figures += measure_few_shot(judge, out)
            if TaughtPart.ONE_CLASS in parts:
                figures += measure_one_class(judge, out)
            if TaughtPart.OPEN_SET in parts:
                figures += measure_open_set(judge, world, root, out)
            if TaughtPart.RECALL in parts:
                figures += measure_recall(judge, out)
    return figures

"""`trainer fit` on data that chose nothing of it, beside logistic regression on the same embeddings."""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.figures import Aim, Figure
from benchmarks.world.clips import unlabelled_clips
from benchmarks.world.datasets import Row, read_table, write_table
from benchmarks.world.packages import World
from listener.detection.bundle import Bundle, read_bundle
from listener.detection.features import log_mel_patches
from listener.engines.litert import LiteRTEngine
from trainer.data import audio
from trainer.data.clips import Clip
from trainer.data.files import find_audio
from trainer.errors import DataError
from trainer.evaluation.scored_file import ScoredFile
from trainer.evaluation.scoring import find_spans, open_scorer, ordered_policies, score_file

_C = 0.01  # of the rival: what TRAINING found for patches of YAMNet
_DRAWS = 3
_SHOTS = 5
_ONE_CLASS_CLIPS = 20
_RECALL = 0.92
_TRAINING_SECONDS = 900
_OTHERS = 100  # files of each kind of unlabelled audio
_MOST_SECONDS = 60.0  # of a file

Embeddings = NDArray[np.float32]
log = logging.getLogger(__name__)


class TaughtPart(StrEnum):
    """What can be measured by itself."""

    FOLDS = "folds"
    FEW_SHOT = "few-shot"
    ONE_CLASS = "one-class"
    OPEN_SET = "open-set"


@dataclass(frozen=True, slots=True)
class Experiment:
    """Rows to train on, and rows to test on; their `fold`s are those that `trainer fit` sees."""

    train: list[Row]
    test: list[Row]


class Judge:
    """Trains and tests on one data set: a table in ESC-50's form with its audio beside it."""

    def __init__(self, table: Path, backbone: Path, cache: Path) -> None:
        self.table, self._backbone, self._cache = table, backbone, cache
        self.rows = read_table(table)

    @property
    def name(self) -> str:
        """Of the data set."""
        return self.table.stem

    def path_of(self, row: Row) -> Path:
        """Where its audio is."""
        return find_audio(self.table, row.filename)

    @cached_property
    def embeddings(self) -> dict[str, Embeddings]:
        """Of every file, for the rival."""
        bundle = read_bundle(self._backbone)
        engine, features = LiteRTEngine(bundle.model_path), bundle.manifest.features
        found = {}
        for row in self.rows:
            clip = Clip(self.path_of(row), frozenset(), row.src_file, fold=0)
            samples = audio.read_audio(clip, features.sample_rate_hz)
            found[row.filename] = engine.infer(log_mel_patches(samples, features))[1]
        return found

    def fit(self, rows: Iterable[Row], out: Path) -> Bundle:
        """What `trainer fit` makes of some rows with its defaults, in a process of its own."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            lines = [
                Row(str(self.path_of(row)), row.category, row.src_file, row.fold) for row in rows
            ]
            write_table(folder / self.table.name, lines)
            command = [
                *[sys.executable, "-m", "trainer", "fit", "--data", str(folder / self.table.name)],
                *[
                    "--backbone",
                    str(self._backbone),
                    "--out",
                    str(out),
                    "--cache",
                    str(self._cache),
                ],
            ]
            ran = subprocess.run(
                command, capture_output=True, text=True, timeout=_TRAINING_SECONDS, check=False
            )
        if ran.returncode:
            raise RuntimeError(f"{' '.join(command)}: {ran.stderr[-2000:]}")
        return read_bundle(out)

    def accuracy(self, experiment: Experiment, out: Path) -> tuple[float, float]:
        """Of clips by their highest mean score: of `trainer fit`, and of the rival."""
        bundle = self.fit(experiment.train, out)
        names = [label.name for label in bundle.manifest.labels]
        own = [
            names[int(scored.scores.mean(axis=0).argmax())]
            for scored in self._score(bundle, experiment.test)
        ]
        rival = self._rival(experiment)
        truth = [row.category for row in experiment.test]
        return _share(own, truth), _share(rival, truth)

    def _rival(self, experiment: Experiment) -> list[str]:
        model = train_rival(
            [self.embeddings[row.filename] for row in experiment.train],
            [row.category for row in experiment.train],
        )
        return [
            str(
                model.classes_[
                    model.predict_proba(self.embeddings[row.filename]).mean(axis=0).argmax()
                ]
            )
            for row in experiment.test
        ]

    def _score(self, bundle: Bundle, rows: Sequence[Row]) -> list[ScoredFile]:
        scorer = open_scorer(bundle)
        found = []
        for row in rows:
            clip = Clip(self.path_of(row), frozenset(), row.src_file, fold=0, seconds=_MOST_SECONDS)
            samples = audio.read_audio(clip, scorer.features.sample_rate_hz)
            found.append(score_file(scorer, samples, row.filename))
        return found

    def events(self, bundle: Bundle, rows: Sequence[Row]) -> list[set[str]]:
        """The names of the labels that a station would report in each clip."""
        names = {label.slug: label.name for label in bundle.manifest.labels}
        policies = ordered_policies(bundle)
        hop_seconds = bundle.manifest.features.patch_hop_seconds
        return [
            {names[span.label] for span in find_spans(scored, policies, hop_seconds)}
            for scored in self._score(bundle, rows)
        ]


def train_rival(clips: Sequence[Embeddings], categories: Sequence[str]) -> LogisticRegression:
    """Logistic regression on patches: the simplest rival."""
    labels = [name for clip, name in zip(clips, categories, strict=True) for _ in clip]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=_C, max_iter=2000))
    return model.fit(np.concatenate(list(clips)), labels)


def measure_folds(judge: Judge, out: Path) -> list[Figure]:
    """Each fold tested once by what is learnt from the others."""
    folds = sorted({row.fold for row in judge.rows})
    pairs = []
    for fold in folds:
        train = [row for row in judge.rows if row.fold != fold]
        test = [row for row in judge.rows if row.fold == fold]
        own, rival = judge.accuracy(Experiment(train, test), out / f"{judge.name}-{fold}")
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
    """Folds for few clips: those of a class in turn."""
    counts: defaultdict[str, int] = defaultdict(int)
    found = []
    for row in rows:
        counts[row.category] += 1
        found.append(Row(row.filename, row.category, row.src_file, 1 + counts[row.category] % 2))
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


def measure_open_set(judge: Judge, world: World, root: Path, out: Path) -> list[Figure]:
    """Files of unlabelled audio in which a bundle of the whole data set reports anything."""
    bundle = judge.fit(judge.rows, out / f"{judge.name}-all")
    by_kind: defaultdict[str, list[Row]] = defaultdict(list)
    for clip in unlabelled_clips(world, root, "test"):
        by_kind[clip.kind].append(Row(str(clip.path), "", clip.package))
    figures = []
    for kind, rows in sorted(by_kind.items()):
        chosen = [rows[n] for n in np.linspace(0, len(rows) - 1, _OTHERS).astype(int)]
        fired = []
        for row in chosen:
            try:
                fired += [bool(found) for found in judge.events(bundle, [row])]
            except DataError as error:
                log.warning("left out: %s", error)
        what = f"{judge.name} ({len(bundle.labels)} labels) on {len(fired)} files of {kind}"
        share = 100 * sum(fired) / len(fired)
        figures.append(Figure("fires on others", what, "%", (share,), Aim("at most", 5.0)))
    return figures


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
    return figures


def _share(found: Sequence[str], truth: Sequence[str]) -> float:
    right = [one == other for one, other in zip(found, truth, strict=True)]
    return 100.0 * float(np.mean(right))

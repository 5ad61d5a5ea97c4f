"""Trains bundles on a data set with `trainer fit`, and asks them and the simplest rival about its clips."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.world.datasets import Row, read_table, write_table
from listener.detection.audio import Samples
from listener.detection.bundle import Bundle, read_bundle
from listener.detection.features import log_mel_patches
from listener.engines.litert import LiteRTEngine
from trainer.data import audio
from trainer.data.clips import Clip
from trainer.data.files import find_audio
from trainer.evaluation.scored_file import ScoredFile
from trainer.evaluation.scoring import find_spans, open_scorer, ordered_policies, score_file

_C = 0.01  # of the rival: what TRAINING found for patches of YAMNet
_TRAINING_SECONDS = 900
MOST_SECONDS = 60.0  # of a file
_WITHOUT_BANK = (
    "from trainer.__main__ import main; from trainer.background import bank; "
    "bank.BANK_FILES = (); main()"
)

Embeddings = NDArray[np.float32]


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

    def fit(self, rows: Iterable[Row], out: Path, *, bank: bool = True) -> Bundle:
        """What `trainer fit` makes of some rows with its defaults, in a process of its own.

        What is there already is read. Without `bank`, as if the package had no bank of negatives.
        """
        if out.exists():
            return read_bundle(out)
        with tempfile.TemporaryDirectory() as name:
            table = write_table(
                Path(name) / self.table.name,
                [Row(str(self.path_of(row)), row.category, row.src_file, row.fold) for row in rows],
            )
            trainer = ["-m", "trainer"] if bank else ["-c", _WITHOUT_BANK]
            command = [sys.executable, *trainer, "fit", f"--data={table}", f"--out={out}"]
            command += [f"--backbone={self._backbone}", f"--cache={self._cache}"]
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
        return (
            share([one == other for one, other in zip(own, truth, strict=True)]),
            share([one == other for one, other in zip(rival, truth, strict=True)]),
        )

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
        return [
            score_file(scorer, self.read(row, scorer.features.sample_rate_hz), row.filename)
            for row in rows
        ]

    def read(self, row: Row, sample_rate_hz: int) -> Samples:
        """A minute of its audio at most.

        Raises:
            DataError: it cannot be read.
        """
        clip = Clip(self.path_of(row), frozenset(), row.src_file, fold=0, seconds=MOST_SECONDS)
        return audio.read_audio(clip, sample_rate_hz)

    def events(self, bundle: Bundle, rows: Sequence[Row]) -> list[set[str]]:
        """The names of the labels that a station would report in each clip."""
        return [reported(bundle, scored) for scored in self._score(bundle, rows)]


def reported(bundle: Bundle, scored: ScoredFile) -> set[str]:
    """The names of the labels that a station would report."""
    names = {label.slug: label.name for label in bundle.manifest.labels}
    hop_seconds = bundle.manifest.features.patch_hop_seconds
    return {names[span.label] for span in find_spans(scored, ordered_policies(bundle), hop_seconds)}


def share(found: Sequence[bool]) -> float:
    """Of those that are true, in percent."""
    return 100.0 * float(np.mean(found))


def train_rival(clips: Sequence[Embeddings], categories: Sequence[str]) -> LogisticRegression:
    """Logistic regression on patches: the simplest rival."""
    labels = [name for clip, name in zip(clips, categories, strict=True) for _ in clip]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=_C, max_iter=2000))
    return model.fit(np.concatenate(list(clips)), labels)

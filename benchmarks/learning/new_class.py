"""A class left out of the base, taught by five clips: is it heard, and is nothing else taken for it?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.figures import Aim, Figure
from benchmarks.learning.station import write_store
from benchmarks.materials import Materials
from listener.detection.bundle import Bundle
from trainer.config import EMBEDDING_CACHE
from trainer.data.audio import read_audio
from trainer.data.clips import Clip, ClipTable
from trainer.data.formats import read_clips
from trainer.evaluation.scoring import find_spans, open_scorer, ordered_policies, score_file
from trainer.retraining.retrain import Retrained, RetrainRequest, retrain
from trainer.training.fit_bundle import FitRequest, fit_bundle
from trainer.training.recipe import Recipe

FOLD_COUNT = 5
CLIPS = 5
DRAWS = 8  # choices of the five clips


@dataclass(frozen=True, slots=True)
class Folds:
    """Which of ESC-10's five folds is `tested` (1 to 5); the three after it are taught, in a ring.

    The fold that is left `trainer fit` holds back.
    """

    tested: int

    @property
    def taught(self) -> tuple[int, ...]:
        """In ascending order."""
        return tuple(sorted((self.tested + step - 1) % FOLD_COUNT + 1 for step in (1, 2, 3)))


def measure_new_class(
    materials: Materials, label: str, folds: Folds, workspace: Path
) -> list[Figure]:
    """Recall of the class, false alarms of it, what old classes lose, on recordings of the tested fold."""
    esc10 = materials.recordings[0].parent.parent
    table = read_clips([esc10])
    data = _without(esc10, workspace / f"without-{label}.csv", label, folds)
    base = fit_bundle(
        FitRequest(
            (data,),
            workspace / f"without-{label}",
            str(materials.yamnet),
            EMBEDDING_CACHE,
            Recipe(),
            folds=folds.taught,
        )
    )
    figures = []
    for how, again in (("its data again", (data,)), ("its own outputs", ())):
        results = [
            _measure(retrained, table.in_folds(folds.tested), label)
            for retrained in _teach(base, table.in_folds(*folds.taught), label, again, workspace)
        ]
        figures += _figures(label, f"{how}, fold {folds.tested} tested", np.array(results))
    return figures


def _figures(label: str, how: str, results: np.ndarray) -> list[Figure]:
    recall, alarms, lost = (tuple(column.tolist()) for column in results.T)
    what = f"{label} from {CLIPS} clips, old classes kept by {how}"
    return [
        Figure("new class", f"{what}: recall", "%", recall, Aim("at least", 90.0)),
        Figure("new class", f"{what}: false alarms of it", "", alarms, Aim("at most", 0.0)),
        Figure("new class", f"{what}: most event recall lost by an old class", "points", lost),
    ]


def _without(esc10: Path, path: Path, label: str, folds: Folds) -> Path:
    """The table without a class and without the tested fold, its files by their whole paths."""
    head, *rows = (esc10 / "esc10.csv").read_text(encoding="utf-8").splitlines()
    cells = [row.split(",") for row in rows]
    kept = [
        f"{esc10 / 'audio'}/{','.join(row)}"
        for row in cells
        if label not in row and row[1] != str(folds.tested)
    ]
    path.write_text("\n".join([head, *kept]) + "\n", encoding="utf-8")
    return path


def _teach(
    base: Bundle, taught: ClipTable, label: str, data: tuple[Path, ...], workspace: Path
) -> Iterator[Retrained]:
    of_class = [clip for clip in taught.clips if label in clip.labels]
    for draw in range(DRAWS):
        chosen = np.random.default_rng(draw).choice(len(of_class), CLIPS, replace=False)
        place = workspace / f"{label}-{len(data)}-{draw}"
        store = write_store(place / "clips", [of_class[n] for n in chosen], label, draw)
        request = RetrainRequest(
            store, base, place / "bundle", EMBEDDING_CACHE, data, new_classes=True, most_loss=100.0
        )
        yield retrain(request, lambda _what: lambda _done, _total: None)


def _measure(retrained: Retrained, tested: ClipTable, label: str) -> tuple[float, int, float]:
    """Recall in %, clips of other classes with an event of the label, points lost at most."""
    of_class = [clip for clip in tested.clips if label in clip.labels]
    others = [clip for clip in tested.clips if label not in clip.labels]
    heard = [labels_heard(retrained.bundle, clips) for clips in (of_class, others)]
    found, alarms = (sum(label in labels for labels in each) for each in heard)
    lost = max(each.lost_points for each in retrained.findings.regression_check.labels)
    return 100.0 * found / len(heard[0]), alarms, lost


def labels_heard(bundle: Bundle, clips: list[Clip]) -> list[set[str]]:
    """The labels of the events in each clip."""
    scorer, policies = open_scorer(bundle), ordered_policies(bundle)
    hop, rate_hz = scorer.features.patch_hop_seconds, scorer.features.sample_rate_hz
    files = (score_file(scorer, read_audio(clip, rate_hz)) for clip in clips)
    return [{span.label for span in find_spans(file, policies, hop)} for file in files]

"""Taught bundles on sound that nobody taught: how often they fire, and what it costs to reject it."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.figures import Aim, Figure
from benchmarks.world.clips import unlabelled_clips
from benchmarks.world.datasets import Row
from benchmarks.world.judge import Judge, reported, share
from benchmarks.world.packages import World
from listener.detection.bundle import Bundle
from trainer.errors import DataError
from trainer.evaluation.scored_file import ScoredFile
from trainer.evaluation.scoring import open_scorer, score_file

_OTHERS = 100  # files of each kind of unlabelled audio
_CLIP_SECONDS = 5.0  # as ESC-50's
_MOST_FIRING = 5.0  # percent
_MOST_LOST = 2.0  # points of recall

log = logging.getLogger(__name__)


def measure_open_set(judge: Judge, world: World, root: Path, out: Path) -> list[Figure]:
    """How often bundles of the whole data set, and of its most frequent class alone, report anything.

    It is counted in files of up to a minute, and in the clips of 5 s that they consist of.
    """
    figures = []
    for name, rows in _taught(judge).items():
        bundle = judge.fit(rows, out / f"{judge.name}-{name}-open")
        for kind, others in _others(world, root):
            files, clips = _firing(judge, bundle, others)
            for what, found in (("files of up to a minute", files), ("clips of 5 s", clips)):
                figures.append(
                    Figure(
                        f"fires on others, {what}",
                        f"{judge.name}, {name} ({len(bundle.labels)} labels) on {len(found)} of {kind}",
                        "%",
                        (share(found),),
                        Aim("at most", _MOST_FIRING),
                    )
                )
    return figures


def _taught(judge: Judge) -> dict[str, list[Row]]:
    """The rows of the whole data set, and of one class."""
    (category, _), *_ = Counter(row.category for row in judge.rows).most_common()
    return {
        "whole": judge.rows,
        f"{category} alone": [row for row in judge.rows if row.category == category],
    }


def _others(world: World, root: Path) -> Iterator[tuple[str, list[Row]]]:
    """Some unlabelled files of the test part, evenly chosen, by kind."""
    by_kind: defaultdict[str, list[Row]] = defaultdict(list)
    for clip in unlabelled_clips(world, root, "test"):
        by_kind[clip.kind].append(Row(str(clip.path), "", clip.package))
    for kind, rows in sorted(by_kind.items()):
        yield kind, [rows[n] for n in np.linspace(0, len(rows) - 1, _OTHERS).astype(int)]


def _firing(judge: Judge, bundle: Bundle, rows: Sequence[Row]) -> tuple[list[bool], list[bool]]:
    """Whether anything is reported in each file, and in each of their clips."""
    scorer = open_scorer(bundle)
    features = bundle.manifest.features
    window_seconds = features.window_samples / features.sample_rate_hz
    files, clips = [], []
    for row in rows:
        try:
            samples = judge.read(row, features.sample_rate_hz)
        except DataError as error:
            log.warning("left out: %s", error)
            continue
        scored = score_file(scorer, samples, row.filename)
        files.append(bool(reported(bundle, scored)))
        clips += [
            bool(reported(bundle, clip))
            for clip in cut(scored, window_seconds, features.patch_hop_seconds)
        ]
    return files, clips


def cut(scored: ScoredFile, window_seconds: float, hop_seconds: float) -> Iterator[ScoredFile]:
    """The scores of its clips of 5 s, by the patches within each; a rest under half of it is none."""
    length = 1 + int((_CLIP_SECONDS - window_seconds) / hop_seconds)
    step = round(_CLIP_SECONDS / hop_seconds)
    last = max(len(scored.scores) - length // 2, 1)
    for start in range(0, last, step):
        scores = scored.scores[start : start + length]
        boundaries = scored.boundaries[start : start + len(scores) + 1]
        yield ScoredFile(scored.name, scores, boundaries - boundaries[0])


def measure_recall(judge: Judge, out: Path) -> list[Figure]:
    """What the bank of negatives costs: events of the taught in held-out folds, without it and with it."""
    figures = []
    for name, rows in _taught(judge).items():
        without, with_bank = (_recall(judge, rows, out / name, bank=bank) for bank in (False, True))
        what = f"{judge.name}, {name}: {len(rows)} clips"
        figures += [
            Figure("recall of events", f"{what}, without a bank of negatives", "%", (without,)),
            Figure("recall of events", f"{what}, with it", "%", (with_bank,)),
            Figure(
                "recall lost to the bank", what, "points", (without - with_bank,),
                Aim("at most", _MOST_LOST),
            ),
        ]  # fmt: skip
    return figures


def _recall(judge: Judge, rows: Sequence[Row], out: Path, *, bank: bool) -> float:
    """Each fold tested once, as by `measure_folds`."""
    heard = []
    for fold in sorted({row.fold for row in rows}):
        test = [row for row in rows if row.fold == fold]
        train = [row for row in rows if row.fold != fold]
        folder = out.with_name(f"{judge.name}-{out.name}-{fold}{'' if bank else '-without'}")
        found = judge.events(judge.fit(train, folder, bank=bank), test)
        heard += [row.category in labels for row, labels in zip(test, found, strict=True)]
    return share(heard)

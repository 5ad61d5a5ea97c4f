"""One seed: scenes, a model of some folds, policies from another, figures from the last."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np

from benchmarks.events.change_points import ChangePoints, box_scores
from benchmarks.events.model import fit_model
from benchmarks.events.recordings import FOLDS, Material
from listener.detection.policy import LabelPolicy
from trainer.evaluation.event_metrics import EventMetrics, collar_counts, event_metrics
from trainer.evaluation.operating_points import Grid, best_point
from trainer.evaluation.scenes import ScenePlan, make_scenes
from trainer.evaluation.scored_file import ScoredFile, running_median, smooth_file
from trainer.evaluation.scoring import find_spans
from trainer.evaluation.tracks import make_track
from trainer.model.backbones import Backbone

log = logging.getLogger(__name__)

_TUNED_COLLAR_SECONDS = 0.5
_MEDIANS = Grid(smoothing_seconds=(0.36, 0.6, 0.84, 1.08, 1.56, 2.04, 2.52))
_AS_THEY_ARE = Grid((0.0,), off_shares=(1.0,), min_duration_seconds=(0.0,), max_gap_seconds=(0.0,))
_CHANGE_POINTS = tuple(
    ChangePoints(steps, drop, share) for steps, drop, share in product((3, 5), (0.2, 0.4), (0.5,))
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many scenes; training scenes are shorter, for the variety."""

    train: int = 400
    validation: int = 80
    test: int = 80
    train_seconds: float = 10.0


def measure_seed(
    material: Material, backbone: Backbone, plan: ScenePlan, sizes: Sizes, seed: int
) -> dict[str, EventMetrics]:
    """Metrics by decoding: test on one fold, tune on the next, train on the other three."""
    test, validation = FOLDS[(seed - 1) % 5], FOLDS[seed % 5]
    train = [fold for fold in FOLDS if fold not in {test, validation}]
    log.info("seed %d: training on folds %s", seed, train)
    short = replace(plan, seconds=sizes.train_seconds)
    learnt = make_scenes(material.recordings(*train), sizes.train, 10 * seed + 2, short)
    model = fit_model(backbone, learnt, material.labels, seed)
    log.info("seed %d: scoring", seed)
    tuning = model.score(
        make_scenes(material.recordings(validation), sizes.validation, 10 * seed + 1, plan)
    )
    unseen = model.score(make_scenes(material.recordings(test), sizes.test, 10 * seed, plan))
    hop = backbone.features.patch_hop_seconds
    return {
        "median and hysteresis": _by_policies(tuning, unseen, material.labels, hop),
        "change points": _by_change_points(tuning, unseen, material.labels, hop),
    }


def _by_policies(
    tuning: Sequence[ScoredFile], unseen: Sequence[ScoredFile], labels: Sequence[str], hop: float
) -> EventMetrics:
    policies = _tune(tuning, labels, hop, _MEDIANS)
    lengths = [policy.smoothing_patches(hop) for policy in policies.values()]
    found = [find_spans(file, policies, hop) for file in unseen]
    return event_metrics([smooth_file(file, lengths) for file in unseen], found, labels)


def _tune(
    files: Sequence[ScoredFile], labels: Sequence[str], hop: float, grid: Grid
) -> dict[str, LabelPolicy]:
    """The best collar F1 at half a second, label by label; no ambient audio, no budget."""
    matcher = partial(collar_counts, collar_seconds=_TUNED_COLLAR_SECONDS)
    points = {
        label: best_point(make_track(files, k, label), None, 1.0, hop, matcher=matcher, grid=grid)
        for k, label in enumerate(labels)
    }
    return {label: point.policy for label, point in points.items()}


def _by_change_points(
    tuning: Sequence[ScoredFile], unseen: Sequence[ScoredFile], labels: Sequence[str], hop: float
) -> EventMetrics:
    chosen = {k: _choose(tuning, k, label, hop) for k, label in enumerate(labels)}
    boxes = [_boxes(file, chosen) for file in unseen]
    policies = _tune([_boxes(file, chosen) for file in tuning], labels, hop, _AS_THEY_ARE)
    return event_metrics(boxes, [find_spans(file, policies, hop) for file in boxes], labels)


_Way = tuple[int, ChangePoints]  # median length in slots, then change points


def _choose(files: Sequence[ScoredFile], column: int, label: str, hop: float) -> _Way:
    matcher = partial(collar_counts, collar_seconds=_TUNED_COLLAR_SECONDS)

    def f1(way: _Way) -> float:
        track = make_track([_boxes(file, {column: way}) for file in files], column, label)
        point = best_point(track, None, 1.0, hop, matcher=matcher, grid=_AS_THEY_ARE)
        return point.counts.f1 or 0.0

    return max(product((1, 5), _CHANGE_POINTS), key=f1)


def _boxes(file: ScoredFile, ways: dict[int, _Way]) -> ScoredFile:
    boxed = np.zeros_like(file.scores)
    for column, (length, how) in ways.items():
        boxed[:, column] = box_scores(running_median(file.scores[:, column], length), how)
    return replace(file, scores=boxed)

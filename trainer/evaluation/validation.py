"""Clips as validation audio of a calibration: their scores, and when their labels are heard."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from listener.detection.audio import Samples
from listener.detection.clip import LabelSpan
from listener.detection.params import FeatureParams
from trainer.data.activity import find_active, patch_levels
from trainer.data.clips import Clip, ClipTable, Quarantined
from trainer.data.targets import clip_targets
from trainer.errors import DataError
from trainer.evaluation.scored_file import ScoredFile
from trainer.evaluation.scoring import Scorer, score_file
from trainer.evaluation.selection import Progress, read_one_by_one


@dataclass(frozen=True, slots=True)
class Validation:
    """Scored files with their truth, and the clips that could not be read."""

    files: tuple[ScoredFile, ...]
    quarantined: tuple[Quarantined, ...]


def score_validation(
    scorer: Scorer, table: ClipTable, labels: tuple[str, ...], progress: Progress | None = None
) -> Validation:
    """Every clip scored; the table's classes are some of the `labels`, the columns of the scores.

    Where nobody knows whether a clip holds a label, the label is silent: its events there would be
    neither right nor wrong.

    Raises:
        DataError: no clip can be read.
    """
    files: list[ScoredFile] = []
    left_out: list[Quarantined] = []
    for clip, samples in read_one_by_one(table, scorer.features.sample_rate_hz, progress):
        if isinstance(samples, Quarantined):
            left_out.append(samples)
        else:
            files.append(_score(scorer, clip, samples, labels))
    if not files:
        raise DataError(f"expected clips that can be read, got none of {len(table.clips)}")
    return Validation(tuple(files), (*table.quarantined, *left_out))


def _score(scorer: Scorer, clip: Clip, samples: Samples, labels: tuple[str, ...]) -> ScoredFile:
    truth = spans_of(clip, samples, scorer.features)
    file = score_file(scorer, samples, clip.path.name, truth)
    return replace(file, scores=file.scores * clip_targets(clip, labels).known)


def spans_of(clip: Clip, samples: Samples, features: FeatureParams) -> tuple[LabelSpan, ...]:
    """The clip's spans; a label without any has one, from the first part that is not quiet to the last.

    One, for whoever labelled a whole clip did not say how often the label is heard: an event anywhere
    in it is right, and several are.
    """
    timed = {span.label for span in clip.spans}
    onset, offset = _heard_between(samples, features)
    whole = (LabelSpan(label, onset, offset) for label in sorted(clip.labels - timed))
    return (*clip.spans, *whole)


def _heard_between(samples: Samples, features: FeatureParams) -> tuple[float, float]:
    """All of it where it is quiet throughout."""
    seconds = len(samples) / features.sample_rate_hz
    active = np.array(find_active(patch_levels(samples, features), seconds, features))
    return (float(active.min()), float(active.max())) if len(active) else (0.0, seconds)

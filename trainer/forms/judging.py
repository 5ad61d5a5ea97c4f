"""All forms on the same patches of the same clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import GOLDEN_TOLERANCE, Infer
from listener.detection.features import log_mel_patches
from listener.detection.params import FeatureParams
from trainer.config import Form
from trainer.data.clips import Clip, ClipTable, Quarantined
from trainer.data.targets import clip_targets
from trainer.errors import DataError
from trainer.evaluation.clip_metrics import ClipMetrics, Scores, clip_metrics
from trainer.evaluation.selection import Progress, read_one_by_one

_ROUNDING = 1e-5  # of the log-mel: how far live and offline, TensorFlow and numpy may be apart
_TRIALS = 8
_MARGIN = 2.0  # another CPU may round worse than the worst of the trials


def judge_forms(
    forms: Mapping[Form, Infer],
    table: ClipTable,
    labels: Sequence[str],
    features: FeatureParams,
    progress: Progress | None = None,
) -> dict[Form, ClipMetrics]:
    """Clip metrics of each form; `labels` are the columns of the scores.

    Raises:
        DataError: no clip can be read.
    """
    columns = [list(labels).index(name) for name in table.classes]
    clips: list[Clip] = []
    scores: dict[Form, list[Scores]] = {form: [] for form in forms}
    for clip, samples in read_one_by_one(table, features.sample_rate_hz, progress):
        if isinstance(samples, Quarantined):
            continue
        clips.append(clip)
        patches = log_mel_patches(samples, features)
        for form, infer in forms.items():
            scores[form].append(infer(patches)[0].mean(axis=0)[columns])
    if not clips:
        raise DataError(f"expected clips that can be read, got none of {len(table.clips)}")
    return {form: _metrics(clips, np.stack(rows), table.classes) for form, rows in scores.items()}


def _metrics(clips: Sequence[Clip], scores: Scores, classes: tuple[str, ...]) -> ClipMetrics:
    targets = [clip_targets(clip, classes) for clip in clips]
    return clip_metrics(
        np.stack([each.values for each in targets]).reshape(scores.shape) > 0,
        scores,
        classes,
        known=np.stack([each.known for each in targets]).reshape(scores.shape) > 0,
    )


def golden_tolerance(infer: Infer, patches: NDArray[np.float32]) -> float:
    """How far golden scores may be off where a CPU rounds otherwise; at least GOLDEN_TOLERANCE.

    `patches` are the golden waveform's.
    """
    exact, _ = infer(patches)
    random = np.random.default_rng(0)
    noises = (random.normal(0.0, _ROUNDING, patches.shape) for _ in range(_TRIALS))
    moved = (infer((patches + noise).astype(np.float32))[0] for noise in noises)
    return max(GOLDEN_TOLERANCE, _MARGIN * max(float(np.abs(s - exact).max()) for s in moved))

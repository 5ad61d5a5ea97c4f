"""A detection plan for the doubles, and patches without sound."""

from __future__ import annotations

import numpy as np

from listener.config import BackoffSettings
from listener.detection.features import Patch
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy
from listener.health import Health
from listener.pipeline.inference import DetectionPlan
from tests.doubles import LABELS

PARAMS = FeatureParams()
POLICY = LabelPolicy(on_threshold=0.5, off_threshold=0.5, smoothing_seconds=0.0)
SMALL_BACKOFF = BackoffSettings(first_seconds=0.001, limit_seconds=0.004)

_LOUD, _SILENT = 1.0, float(np.log(0.001))


def make_plan(policy: LabelPolicy = POLICY, labels: tuple[str, ...] = LABELS) -> DetectionPlan:
    """What is looked for: some of the engine's labels, each under the same policy."""
    columns = np.array([LABELS.index(label) for label in labels], np.intp)
    return DetectionPlan(PARAMS, dict.fromkeys(labels, policy), columns, "doubles@1", "test")


def make_health(*sources: str, labels: tuple[str, ...] = LABELS) -> Health:
    """A health with these sources."""
    health = Health(labels, "doubles@1")
    for source in sources:
        health.add_source(source)
    return health


def patch(number: int, source: str = "hall", *, loud: bool = False) -> Patch:
    """Patch `number` of a stream, all silent or all loud."""
    log_mel = np.full((96, 64), _LOUD if loud else _SILENT, np.float32)
    level = -20.0 if loud else -120.0
    return Patch(source, 7_680 * number, 0.48 * number, 0.975, log_mel, level, level)

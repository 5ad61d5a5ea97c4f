"""The cases of reference.json as the metrics take them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from listener.detection.clip import LabelSpan
from trainer.evaluation.scored_file import ScoredFile

_DOCUMENT = json.loads(Path(__file__).with_name("reference.json").read_text(encoding="utf-8"))

LABELS: list[str] = _DOCUMENT["labels"]
CASES: list[dict[str, Any]] = _DOCUMENT["cases"]
RANKINGS: list[dict[str, Any]] = _DOCUMENT["rankings"]


def read_files(case: dict[str, Any]) -> list[ScoredFile]:
    return [
        ScoredFile(
            str(i),
            np.array(file["scores"], np.float32),
            np.arange(len(file["scores"]) + 1) * _DOCUMENT["slot_seconds"],
            tuple(LabelSpan(label, onset, offset) for onset, offset, label in file["truth"]),
        )
        for i, file in enumerate(case["files"])
    ]


def events_over(file: ScoredFile, threshold: float) -> list[LabelSpan]:
    """Stretches of slots over the threshold, found one slot after the other."""
    events = []
    for column, label in enumerate(LABELS):
        onset = None
        for row, score in enumerate([*file.scores[:, column], 0.0]):
            if onset is None and score > threshold:
                onset = file.boundaries[row]
            elif onset is not None and score <= threshold:
                events.append(LabelSpan(label, float(onset), float(file.boundaries[row])))
                onset = None
    return events

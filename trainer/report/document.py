"""An evaluation as plain values: all of it for `evaluation.json`, a summary for the bundle's provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trainer.data.files import find_licence
from trainer.evaluation.evaluate import Evaluation
from trainer.report.figures import to_document

_ONLY_IN_THE_REPORT = ("curves", "examples")
_OF_CLIPS_ONLY_IN_THE_REPORT = ("confusion", "reliability")  # one of 521 labels has 271 441 cells


@dataclass(frozen=True, slots=True)
class EvaluationRun:
    """By what and when a bundle was judged; `licences` by data set, `seen`: it knew some clips."""

    made: str
    data: tuple[str, ...]
    folds: tuple[int, ...]
    ambient: tuple[str, ...]
    licences: Mapping[str, str]
    seen: bool


def describe_run(
    data: Sequence[Path], folds: Sequence[int], ambient: Sequence[Path], *, seen: bool
) -> EvaluationRun:
    """Now."""
    return EvaluationRun(
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        data=tuple(map(str, data)),
        folds=tuple(sorted(set(folds))),
        ambient=tuple(map(str, ambient)),
        licences={str(path): find_licence(path) for path in data},
        seen=seen,
    )


def document_of(evaluation: Evaluation, occasion: EvaluationRun) -> dict[str, Any]:
    """All of it, as JSON takes it: `evaluation.json`."""
    return {**_fields(occasion), **_fields(evaluation)}


def summarise(evaluation: Evaluation, occasion: EvaluationRun) -> dict[str, Any]:
    """The same without what grows with the number of clips or with the square of the labels."""
    document = _without(document_of(evaluation, occasion), _ONLY_IN_THE_REPORT)
    for level in ("clip", "patch"):
        document[level] = _without(document[level], _OF_CLIPS_ONLY_IN_THE_REPORT)
    return document


def _fields(value: EvaluationRun | Evaluation) -> dict[str, Any]:
    document = to_document(value)
    return dict(document) if isinstance(document, dict) else {}


def _without(document: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}

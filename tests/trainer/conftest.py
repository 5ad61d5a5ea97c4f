"""One real evaluation that tests of the report, the card and the figures look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from listener.detection.bundle import Bundle
from tests.trainer.report.tones import write_judged, write_quiet

if TYPE_CHECKING:
    from trainer.report.evaluation import Evaluated

CURVES: list[list[dict[str, float | None]]] = [
    [
        {"number": 1, "loss": 0.9, "validation_loss": 0.8, "accuracy": 0.5},
        {"number": 2, "loss": 0.4, "validation_loss": 0.6, "accuracy": 1.0},
    ],
    [{"number": 1, "loss": 0.7, "validation_loss": None, "accuracy": None}],
]


def no_progress(_what: str) -> Callable[[int, int], None]:
    return lambda _done, _all: None


@pytest.fixture(scope="session")
def taught_bundle(tones_bundle: Bundle) -> Bundle:
    """The tones bundle with what `trainer fit` would say of its training. Read only."""
    known = {
        "learning_curves": CURVES,
        "validation": "accuracy 100.0 %",
        "leak": {"by_recording": 0.9, "shuffled": 0.95, "patches": 120, "folds": 3},
    }
    manifest = replace(tones_bundle.manifest, provenance=known)
    return replace(tones_bundle, manifest=manifest)


@pytest.fixture(scope="session")
def evaluated(taught_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    """Nine clips of which one is wrong, half a minute of ambient audio with one alarm."""
    from trainer.report.evaluation import EvaluationRequest, evaluate_on_data  # noqa: PLC0415 - draws

    folder = tmp_path_factory.mktemp("evaluated")
    request = EvaluationRequest(
        bundle=taught_bundle,
        data=(write_judged(folder / "data"),),
        ambient=(write_quiet(folder / "quiet" / "hall.wav", 30.0, 10.0).parent,),
        report=folder / "report",
    )
    return evaluate_on_data(request, no_progress)

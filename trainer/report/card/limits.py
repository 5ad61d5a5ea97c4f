"""What the figures do not say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from listener.detection.bundle import Manifest
from trainer.report.card.figures import EVALUATION
from trainer.report.card.policies import CALIBRATION
from trainer.report.words import listed

FEW_CLIPS = 20  # one more wrong is 5 points
_MOST_NAMED = 10


def limits(manifest: Manifest) -> str:
    """What follows from what was, and was not, measured."""
    return "## Limits\n\n" + "\n".join(f"- {line}" for line in limit_lines(manifest))


def limit_lines(manifest: Manifest) -> list[str]:
    """One sentence each."""
    known = manifest.provenance
    found = known.get(EVALUATION)
    return [
        "Do not rely on it for safety: a sound may be missed.",
        "Scores of two classes are not to be compared: each class has a threshold of its own.",
        *([] if found is None else _of_evaluation(found)),
        *_of_calibration(known.get(CALIBRATION)),
    ]


def _of_evaluation(found: Mapping[str, Any]) -> Iterator[str]:
    few = [each["label"] for each in found["clip"]["labels"] if each["clips"] < FEW_CLIPS]
    if few:
        more = f" and {len(few) - _MOST_NAMED} more" if len(few) > _MOST_NAMED else ""
        yield f"Under {FEW_CLIPS} clips, so that a figure is a guess: {listed(few[:_MOST_NAMED])}{more}."
    if found["events"] is None:
        yield "No clip said when its label is heard: onsets and offsets were not judged."
    if found["ambient"] is None:
        yield "No ambient audio was given: nothing is known of false alarms in a room."
    if not found["robustness"]:
        yield "Not tried in noise, reverb or at other levels."


def _of_calibration(found: Mapping[str, Any] | None) -> Iterator[str]:
    if found is None:
        yield "The policies are a start and not calibrated."
    elif not found["claimed"]:
        yield "The budget of false alarms cannot be claimed, see Policies."

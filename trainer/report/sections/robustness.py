"""The same clips in noise, in a room, louder and softer."""

from __future__ import annotations

from trainer.evaluation.scored_clips import ConditionResult
from trainer.report.html import paragraph, picture, table
from trainer.report.page import Matter
from trainer.report.pictures.noise_curves import draw_noise_curves
from trainer.report.words import decimals, percent

_UNITS = {"reverb": "s"}  # all else is in dB


def robustness(matter: Matter) -> str:
    """Curves over the SNR, and a row for each condition."""
    results = matter.evaluation.robustness
    if not results:
        return paragraph("Not measured: `--no-robust` was asked for.")
    rows = (
        (_name(each), percent(each.accuracy), percent(each.f1), decimals(each.average_precision))
        for each in results
    )
    curves = picture(
        draw_noise_curves(results),
        "Accuracy over the signal-to-noise ratio, for noise seen in training and noise never seen",
        "The louder the noise, the further to the right. Training may add white to brown noise, never "
        "blue.",
    )
    return curves + table(("condition", "accuracy", "F1", "average precision"), rows)


def _name(result: ConditionResult) -> str:
    if result.strength is None:
        return result.condition
    return f"{result.condition}, {result.strength:g} {_UNITS.get(result.condition, 'dB')}"

"""When scores become events, and what each threshold would give."""

from __future__ import annotations

from collections.abc import Mapping

from listener.detection.policy import LabelPolicy
from trainer.report.card.policies import CALIBRATION
from trainer.report.html import bullets, paragraph, picture, table
from trainer.report.page import Matter
from trainer.report.pictures.policies import draw_policies
from trainer.report.pictures.precision_recall import draw_precision_recall

_HEADS = ("label", "on", "off", "median, s", "at least, s", "gap, s", "refractory, s")
_MOST_DRAWN = 60  # labels; the table has them all


def policies(matter: Matter) -> str:
    """Precision-recall curves, thresholds, the policies, and the calibration's remarks."""
    chosen = {label: matter.manifest.policies[label] for label in matter.evaluation.labels}
    return _origin(matter) + _curves(matter) + _thresholds(chosen) + _table(chosen)


def _origin(matter: Matter) -> str:
    found = matter.manifest.provenance.get(CALIBRATION)
    if found is None:
        return paragraph("The thresholds are not calibrated, see `trainer calibrate`.")
    told = f"Chosen for at most {found['false_alarms_per_day']:g} false alarms a day of all labels."
    return paragraph(told) + (bullets(found["remarks"]) if found["remarks"] else "")


def _curves(matter: Matter) -> str:
    return picture(
        draw_precision_recall(matter.evaluation.curves),
        "Precision over recall of each label for all thresholds",
        "A clip counts as found where its highest smoothed score reaches the threshold, so that an "
        "event would open. Dots: the thresholds of the policies.",
    )


def _thresholds(chosen: Mapping[str, LabelPolicy]) -> str:
    drawn = dict(list(chosen.items())[:_MOST_DRAWN])
    return picture(
        draw_policies(drawn),
        "The thresholds at which events open and close, for each label",
        "Smoothed scores at which events open and close.",
    )


def _table(chosen: Mapping[str, LabelPolicy]) -> str:
    rows = (
        (
            label,
            f"{policy.on_threshold:.3g}",
            f"{policy.off_threshold:.3g}",
            f"{policy.smoothing_seconds:g}",
            f"{policy.min_duration_seconds:g}",
            f"{policy.max_gap_seconds:g}",
            f"{policy.refractory_seconds:g}",
        )
        for label, policy in chosen.items()
    )
    return table(_HEADS, rows)

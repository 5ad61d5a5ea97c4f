"""What a person sees of a retraining: the certificate, thresholds that were raised, verdicts in doubt."""

from __future__ import annotations

import logging

from trainer.formatting import percent
from trainer.retraining.label_review import LabelDoubt
from trainer.retraining.regression_check import RegressionCheck
from trainer.retraining.retrain import Findings
from trainer.retraining.thresholds import RoomCheck
from trainer.terminal import show_table

log = logging.getLogger(__name__)

_HEADS = ("label", "clips", "F1 before", "after", "average precision before", "after")


def show_findings(findings: Findings) -> None:
    """A table of old classes on stderr, then one line for each thing to know."""
    _show_certificate(findings.certificate)
    _log_room(findings.room)
    for doubt in findings.doubts:
        log.warning("%s", describe_doubt(doubt))


def _show_certificate(certificate: RegressionCheck) -> None:
    if not certificate.clips:
        log.warning("no held-out clips: nothing tells what old classes lost")
        return
    rows = (
        (
            each.label,
            str(each.clips),
            percent(each.f1_before),
            percent(each.f1_after),
            percent(each.average_precision_before),
            percent(each.average_precision_after),
        )
        for each in certificate.labels
    )
    show_table(_HEADS, rows)
    for kept in certificate.kept:
        how = "learnt from as well: too few to spare any" if kept.learnt else "not learnt from"
        log.info("%s: %d clips judge later bundles, %s", kept.label, kept.clips, how)


def _log_room(room: RoomCheck) -> None:
    if room.alarms is None:
        log.warning("no ambient clips: nothing is known of false alarms in this room")
        return
    for label, (before, after) in room.raised.items():
        log.info("%s: on at %.3g instead of %.3g, for this room", label, after, before)
    if room.alarms.at_most_per_day > room.false_alarms_per_day:
        log.warning(
            "%d alarms in %.2f h of ambient clips allow to claim at most %.3g a day (95 %%), not %g",
            room.alarms.alarms,
            room.alarms.hours,
            room.alarms.at_most_per_day,
            room.false_alarms_per_day,
        )


def describe_doubt(doubt: LabelDoubt) -> str:
    """One line: `listen again: 01JD...: dog is said to be there, the others give it 0.03: path`."""
    said = "there" if doubt.said_there else "absent"
    return (
        f"listen again: {doubt.clip}: {doubt.label} is said to be {said}, "
        f"the other verdicts give it {doubt.score:.2f}: {doubt.path}"
    )

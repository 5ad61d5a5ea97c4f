"""What a person sees of a retraining: regressions, thresholds that were raised, verdicts in doubt."""

import logging
from dataclasses import dataclass

from trainer.evaluation.lost_events import show_regressions
from trainer.formatting import STATION, station_line
from trainer.provenance import to_document
from trainer.retraining import cross_validation, thresholds
from trainer.retraining.regression_check import RegressionCheck

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Findings:
    """What the correction cost, which verdicts are in doubt, and which thresholds the room needs."""

    regression_check: RegressionCheck
    doubts: tuple[cross_validation.LabelDoubt, ...]
    ambient_check: thresholds.AmbientCheck


def show_check(check: RegressionCheck) -> None:
    """What the station would do, then old labels before and after, on stderr."""
    if check.station is None:
        log.warning("no held-out clips: what old classes lost is not known")
        return
    log.info("%s, held-out clips: %s", STATION, station_line(to_document(check.station)))
    show_regressions(check.labels)
    for each in check.in_doubt:
        log.warning(
            "%s: %d of %d clips are no longer heard: too few to tell a loss from chance",
            each.label,
            each.forgotten,
            each.clips,
        )


def show_findings(findings: Findings) -> None:
    """One line for each thing to know of a bundle that was written."""
    for kept in findings.regression_check.kept:
        how = "trained on as well, as there are too few" if kept.learnt else "not trained on"
        log.info("%s: %d clips check later bundles, %s", kept.label, kept.clips, how)
    for doubt in findings.doubts:
        log.warning(
            "listen again: %s: %s is said to be %s, the other verdicts give it %.2f: %s",
            doubt.clip,
            doubt.label,
            "there" if doubt.said_there else "absent",
            doubt.score,
            doubt.path,
        )


def show_ambient(check: thresholds.AmbientCheck) -> None:
    """Which thresholds were raised for the room, and what can be claimed of false alarms in it."""
    if check.alarms is None:
        log.warning("no ambient clips: nothing is known of false alarms in this room")
        return
    for label, (before, after) in check.raised.items():
        log.info("%s: on at %.3g instead of %.3g, for this room", label, after, before)
    if check.alarms.at_most_per_day > check.false_alarms_per_day:
        log.warning(
            "%d alarms in %.2f h of ambient clips allow to claim at most %.3g a day (95 %%), not %g",
            check.alarms.alarms,
            check.alarms.hours,
            check.alarms.at_most_per_day,
            check.false_alarms_per_day,
        )

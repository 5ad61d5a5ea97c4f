"""What a person sees of a retraining: regressions, thresholds that were raised, verdicts in doubt."""

import logging

from trainer.formatting import percent
from trainer.retraining import retrain, thresholds
from trainer.terminal import show_table

log = logging.getLogger(__name__)

_HEADS = ("label", "clips", "F1 before", "after", "average precision before", "after")


def show_findings(findings: retrain.Findings) -> None:
    """A table of old classes on stderr, then one line for each thing to know."""
    check = findings.regression_check
    if check.clips:
        rows = (
            (
                each.label,
                str(each.clips),
                percent(each.f1_before),
                percent(each.f1_after),
                percent(each.average_precision_before),
                percent(each.average_precision_after),
            )
            for each in check.labels
        )
        show_table(_HEADS, rows)
    else:
        log.warning("no held-out clips: what old classes lost is not known")
    for kept in check.kept:
        how = "trained on as well, as there are too few" if kept.learnt else "not trained on"
        log.info("%s: %d clips check later bundles, %s", kept.label, kept.clips, how)
    _log_ambient(findings.ambient_check)
    for doubt in findings.doubts:
        log.warning(
            "listen again: %s: %s is said to be %s, the other verdicts give it %.2f: %s",
            doubt.clip,
            doubt.label,
            "there" if doubt.said_there else "absent",
            doubt.score,
            doubt.path,
        )


def _log_ambient(check: thresholds.AmbientCheck) -> None:
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

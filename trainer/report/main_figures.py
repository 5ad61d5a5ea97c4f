"""The figures that a person looks at first, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trainer.evaluation.scored_clips import SEEN_NOISE, UNSEEN_NOISE
from trainer.report.words import decimals, hours, percent, rate

Row = tuple[str, str]  # what, figure

_QUOTED_SNR_DB = 0.0
_QUOTED_COLLAR = "0.5"


def main_figures(summary: Mapping[str, Any]) -> list[Row]:
    """Of what `summarise` gave; what was not measured has no row."""
    rows = (_clips, _noise, _events, _quiet, _ambient)
    return [row for part in rows for row in part(summary)]


def _clips(summary: Mapping[str, Any]) -> Iterator[Row]:
    clip, patch = summary["clip"], summary["patch"]
    if clip["accuracy"] is not None:
        yield "accuracy", f"{percent(clip['accuracy'])} of {clip['clips']} clips"
    if patch["accuracy"] is not None:
        yield "accuracy of single patches", f"{percent(patch['accuracy'])} of {patch['clips']}"
    yield "F1, mean over labels", percent(clip["f1"])
    yield "average precision, mean over labels", decimals(clip["average_precision"])
    yield "ROC-AUC, mean over labels", decimals(clip["roc_auc"])
    yield "calibration error of the scores", percent(clip["calibration_error"])


def _noise(summary: Mapping[str, Any]) -> Iterator[Row]:
    for (name, _exponent), known in ((SEEN_NOISE, "seen"), (UNSEEN_NOISE, "never seen")):
        for each in summary["robustness"]:
            if (each["condition"], each["strength"]) == (name, _QUOTED_SNR_DB):
                what = "accuracy" if each["accuracy"] is not None else "F1"
                figure = percent(each["accuracy"] if what == "accuracy" else each["f1"])
                yield f"{what} with {name} at {_QUOTED_SNR_DB:g} dB, {known} in training", figure


def _events(summary: Mapping[str, Any]) -> Iterator[Row]:
    events = summary["events"]
    if events is None:
        return
    collar = events["collar"][_QUOTED_COLLAR]
    yield f"events: F1 within {_QUOTED_COLLAR} s", percent(collar["macro_f1"])
    yield "events: intersection F1", percent(events["intersection"]["macro_f1"])
    yield "PSDS1, PSDS2", f"{decimals(events['psds1'])}, {decimals(events['psds2'])}"


def _quiet(summary: Mapping[str, Any]) -> Iterator[Row]:
    alarms = sum(sum(each["events"].values()) for each in summary["noise"])
    seconds = sum(each["seconds"] for each in summary["noise"])
    yield "events in generated silence and noise", f"{alarms} in {hours(seconds / 3600)}"


def _ambient(summary: Mapping[str, Any]) -> Iterator[Row]:
    if summary["ambient"] is None:
        yield "false alarms on ambient audio", "not measured"
    else:
        yield "false alarms on ambient audio", describe_alarms(summary["ambient"]["total"])


def describe_alarms(counted: Mapping[str, Any]) -> str:
    """`3 in 1.50 h: at most 124 a day (95 %)`."""
    return (
        f"{counted['alarms']} in {hours(counted['hours'])}: "
        f"at most {rate(counted['at_most_per_day'])} a day (95 %)"
    )

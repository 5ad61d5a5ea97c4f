"""Figures for people, the same in card, report and terminal, and results as plain values for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from trainer.evaluation.scored_clips import SEEN_NOISE, UNSEEN_NOISE

UNKNOWN = "unknown"
_QUOTED_SNR_DB = 0.0
_QUOTED_COLLAR = "0.5"


# Results as plain values, for JSON.


def to_document(value: object) -> object:
    """Dataclasses as dicts with their fields and properties, tuples as lists, paths as text.

    Sets are sorted, other values stay as they are.
    """
    if is_dataclass(value):
        names = [field.name for field in fields(value)] + _properties(value)
        return {name: to_document(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): to_document(each) for key, each in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple | list):
        return [to_document(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def _properties(value: object) -> list[str]:
    named = vars(type(value)).items()
    return [name for name, what in named if isinstance(what, property) and name[0] != "_"]


# Figures in words, the same in card, report and terminal.


def percent(share: float | None) -> str:
    """`97.5 %` of 0.975."""
    return UNKNOWN if share is None else f"{100 * share:.1f} %"


def decimals(value: float | None) -> str:
    """`0.875`, three digits after the point."""
    return UNKNOWN if value is None else f"{value:.3f}"


def rate(value: float) -> str:
    """`0.25`, `71.9`, `82012`: three digits, more where the number has more before its point."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"  # noqa: PLR2004


def hours(value: float) -> str:
    """`1.50 h`, or `90 s` where it is less than a tenth of an hour."""
    return f"{value:.2f} h" if value >= 0.1 else f"{value * 3600:.0f} s"  # noqa: PLR2004


def listed(names: object) -> str:
    """Names with commas; what is not a list stays as it is."""
    return ", ".join(map(str, names)) if isinstance(names, list | tuple) else str(names)


# The figures that a person looks at first, in words.


Row = tuple[str, str]  # what, figure


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

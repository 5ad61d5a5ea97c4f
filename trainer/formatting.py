"""Figures as text, the same on the terminal and in the templates of card and report."""

from collections.abc import Iterator

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from trainer.evaluation.scored_clips import BAND_LIMITED, SEEN_NOISE, UNSEEN_NOISE
from trainer.provenance import EvaluationSection, StationFigures

STATION = "what the station would do"
UNKNOWN = "unknown"
_QUOTED_SNR_DB = 0.0
_QUOTED_LIMIT_HZ = 4_000.0  # of G.711
_QUOTED = (
    (SEEN_NOISE, _QUOTED_SNR_DB, f"{SEEN_NOISE} at {_QUOTED_SNR_DB:g} dB, seen in training"),
    (
        UNSEEN_NOISE,
        _QUOTED_SNR_DB,
        f"{UNSEEN_NOISE} at {_QUOTED_SNR_DB:g} dB, never seen in training",
    ),
    (BAND_LIMITED, _QUOTED_LIMIT_HZ, f"nothing above {_QUOTED_LIMIT_HZ:g} Hz"),
)
_QUOTED_COLLAR = "0.5"  # s


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


def station_line(found: StationFigures) -> str:
    """`event recall 95.0 % (38 of 40), 3 false events in 0.10 h: 30 an hour (at most 78, 95 %)`."""
    recall = (
        f"event recall {percent(found['recall'])} ({found['heard']} of {found['sounds']} sounds)"
    )
    if (alarms := found["false_alarms"]) is None:
        return f"{recall}, false events: {UNKNOWN}"
    bound = rate(alarms["at_most_per_day"] / 24.0)
    return (
        f"{recall}, {alarms['alarms']} false events in {hours(alarms['hours'])}: "
        f"{rate(alarms['per_hour'])} an hour (at most {bound}, 95 %)"
    )


TEMPLATES = Environment(
    loader=PackageLoader("trainer", "."),
    autoescape=select_autoescape(("html.j2",), default=False),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
TEMPLATES.filters |= {
    each.__name__: each for each in (percent, decimals, rate, hours, listed, station_line)
}


def main_figures(found: EvaluationSection) -> Iterator[tuple[str, str]]:
    """The figures of an evaluation that a person looks at first; what was not measured has no row."""
    clip, patch = found["clip"], found["patch"]
    if (station := found.get("station")) is not None:
        yield STATION, station_line(station)
    if clip["accuracy"] is not None:
        # older bundles counted clips with a label alone
        counted, backgrounds = clip.get("judged", clip["clips"]), clip.get("backgrounds", 0)
        of_background = f", {backgrounds} of them background" if backgrounds else ""
        yield "accuracy", f"{percent(clip['accuracy'])} of {counted} clips{of_background}"
    if patch["accuracy"] is not None:
        judged = patch.get("judged", patch["clips"])
        yield "accuracy of single patches", f"{percent(patch['accuracy'])} of {judged}"
    yield "F1, mean over labels", percent(clip["f1"])
    yield "average precision, mean over labels", decimals(clip["average_precision"])
    yield "ROC-AUC, mean over labels", decimals(clip["roc_auc"])
    yield "calibration error of the scores", percent(clip["calibration_error"])
    for condition, strength, words in _QUOTED:
        for each in found["robustness"]:
            if (each["condition"], each["strength"]) == (condition, strength):
                what = "F1" if each["accuracy"] is None else "accuracy"
                figure = each["f1"] if each["accuracy"] is None else each["accuracy"]
                yield f"{what} with {words}", percent(figure)
    if (events := found["events"]) is not None:
        collar = events["collar"][_QUOTED_COLLAR]
        yield f"events: F1 within {_QUOTED_COLLAR} s", percent(collar["macro_f1"])
        yield "events: intersection F1", percent(events["intersection"]["macro_f1"])
        yield "PSDS1, PSDS2", f"{decimals(events['psds1'])}, {decimals(events['psds2'])}"
    alarms = sum(sum(each["events"].values()) for each in found["noise"])
    seconds = sum(each["seconds"] for each in found["noise"])
    yield "events in generated silence and noise", f"{alarms} in {hours(seconds / 3600)}"
    quiet = "not measured"
    if (ambient := found["ambient"]) is not None:
        total = ambient["total"]
        bound = f"at most {rate(total['at_most_per_day'])} a day (95 %)"
        quiet = f"{total['alarms']} in {hours(total['hours'])}: {bound}"
    yield "false alarms on ambient audio", quiet

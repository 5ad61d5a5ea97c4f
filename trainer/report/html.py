"""HTML by hand: text is escaped, pictures are inside the page, nothing is loaded."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from matplotlib.figure import Figure

from listener.detection.bundle import Manifest
from listener.detection.policy import LabelPolicy
from trainer.data.files import NOT_STATED
from trainer.evaluation.evaluate import Evaluation
from trainer.evaluation.event_metrics import EventMetrics, EventScore
from trainer.evaluation.false_alarms import AmbientAlarms, NoiseAlarms
from trainer.evaluation.operating_points import AlarmRate
from trainer.evaluation.scored_clips import ConditionResult
from trainer.report.document import EvaluationRun, document_of, summarise
from trainer.report.examples import ExampleView
from trainer.report.figures import decimals, hours, listed, main_figures, percent, rate
from trainer.report.model_card import CALIBRATION, EVALUATION, LEAK, LESSON, limit_lines
from trainer.report.plots import (
    draw_confusion,
    draw_example,
    draw_learning_curves,
    draw_noise_curves,
    draw_policies,
    draw_precision_recall,
    draw_reliability,
    to_png,
)

_STYLE = """\
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 0 auto; padding: 1rem; color: #222; }
h1, h2 { line-height: 1.2; }
img { max-width: 100%; height: auto; }
figure { margin: 1.5rem 0; }
figcaption { color: #555; font-size: .9rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #ddd; }
.warning { border-left: .3rem solid #b00; padding-left: .8rem; }
"""
_NOT_MEASURED = (
    "No ambient audio was given: nothing is known of false alarms in a room. Record hours of it, and "
    "give it as --ambient."
)
_HEADS = ("label", "clips", "precision", "recall", "F1", "average precision", "ROC-AUC")
_HEADS_POLICIES = ("label", "on", "off", "median, s", "at least, s", "gap, s", "refractory, s")
_MOST_DRAWN = 60  # labels; the table has them all
SEEN = "The bundle learnt from these clips, or was tuned on them: the figures are too good."
CURVES = "learning_curves"  # in the provenance of what `trainer fit` made
PAGE_FILE = "index.html"
DOCUMENT_FILE = "evaluation.json"


def paragraph(text: str) -> str:
    """Plain text."""
    return f"<p>{escape(text)}</p>\n"


def warning(text: str) -> str:
    """Plain text that must not be overlooked."""
    return f'<p class="warning">{escape(text)}</p>\n'


def bullets(lines: Iterable[str]) -> str:
    """Plain text, a point each."""
    return "<ul>\n" + "".join(f"<li>{escape(line)}</li>\n" for line in lines) + "</ul>\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Plain text; on a narrow screen the table scrolls by itself, not the page."""
    head = _row("th", heads)
    body = "".join(_row("td", row) for row in rows)
    return (
        f'<div class="wide"><table>\n<thead>{head}</thead>\n<tbody>{body}</tbody>\n</table></div>\n'
    )


def _row(cell: str, texts: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{cell}>{escape(text)}</{cell}>" for text in texts) + "</tr>\n"


def picture(figure: Figure, alt: str, caption: str) -> str:
    """The figure as PNG; `alt` says what it shows to who cannot see it."""
    data = base64.b64encode(to_png(figure)).decode()
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{escape(alt)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>\n"
    )


# The report: one HTML page, section by section.


@dataclass(frozen=True, slots=True)
class ReportContext:
    """All that a report is made of."""

    manifest: Manifest
    evaluation: Evaluation
    occasion: EvaluationRun
    shown: tuple[ExampleView, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what makes the HTML below it; empty HTML: there is nothing to say."""

    heading: str
    make: Callable[[ReportContext], str]


def make_page(matter: ReportContext, sections: tuple[Section, ...]) -> str:
    """The page as HTML 5: no script, and nothing from elsewhere."""
    title = escape(f"{matter.evaluation.bundle}: evaluation")
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        + "".join(_section(section, matter) for section in sections)
        + "</body>\n</html>\n"
    )


def _section(section: Section, matter: ReportContext) -> str:
    content = section.make(matter)
    heading = escape(section.heading)
    return f"<section>\n<h2>{heading}</h2>\n{content}</section>\n" if content else ""


# Events where there should be none.


def alarms(matter: ReportContext) -> str:
    """Ambient audio with its Poisson bound, then silence and noise."""
    ambient = matter.evaluation.ambient
    told = warning(_NOT_MEASURED) if ambient is None else _ambient(ambient)
    rows = (_noise_row(each) for each in matter.evaluation.noise)
    return told + table(("generated sound", "level", "length", "events"), rows)


def _ambient(ambient: AmbientAlarms) -> str:
    heads = ("label", "alarms", "an hour", "a day", "a day at most (95 %, Poisson)")
    total = ("all", *_figures(ambient.total))
    rows = [(label, *_figures(each)) for label, each in ambient.labels.items() if each.alarms]
    told = f"{hours(ambient.total.hours)} of ambient audio. Labels without a row raised no alarm."
    return paragraph(told) + table(heads, [total, *rows])


def _figures(counted: AlarmRate) -> tuple[str, ...]:
    numbers = (counted.per_hour, counted.per_day, counted.at_most_per_day)
    return str(counted.alarms), *map(rate, numbers)


def _noise_row(alarms: NoiseAlarms) -> tuple[str, ...]:
    length = f"{alarms.seconds:g} s"
    return alarms.sound, f"{alarms.level_dbfs:g} dBFS", length, _describe(alarms.events)


def _describe(events: Mapping[str, int]) -> str:
    named = ", ".join(f"{label} {count}" for label, count in sorted(events.items()))
    return f"{sum(events.values())} ({named})" if events else "0"


# How well each class is told apart, and what it is taken for.


def classes(matter: ReportContext) -> str:
    """The confusion matrix, if clips have one label each, and a row for each label."""
    clip = matter.evaluation.clip
    rows = (
        (
            each.label,
            str(each.clips),
            percent(each.precision),
            percent(each.recall),
            percent(each.f1),
            decimals(each.average_precision),
            decimals(each.roc_auc),
        )
        for each in clip.labels
    )
    return _confusion(matter) + table(_HEADS, rows)


def _confusion(matter: ReportContext) -> str:
    clip = matter.evaluation.clip
    if clip.accuracy is None:
        return ""
    right = sum(row[k] for k, row in enumerate(clip.confusion))
    counted = sum(map(sum, clip.confusion))
    return picture(
        draw_confusion(clip.confusion, matter.evaluation.labels),
        f"Confusion matrix: {right} of {counted} clips are on its diagonal",
        "Rows are what clips are, columns the label with the highest mean score.",
    )


# On what it was judged, what could not be used, and under which licences.


def data(matter: ReportContext) -> str:
    """Data sets with their licences, and the clips that were left out."""
    sets = table(("data", "used to", "licence"), [*_learnt_from(matter), *_judged_on(matter)])
    left_out = matter.evaluation.quarantined
    if not left_out:
        return sets + paragraph("No clip was left out.")
    told = paragraph(f"{len(left_out)} clips were left out:")
    return (
        sets + told + table(("file", "why"), [(str(each.path), each.reason) for each in left_out])
    )


def _learnt_from(matter: ReportContext) -> list[tuple[str, str, str]]:
    known = matter.manifest.provenance
    if LESSON not in known:
        return []
    licences = known.get("licences", {})
    return [(path, "learn", licences.get(path, NOT_STATED)) for path in known["data"]]


def _judged_on(matter: ReportContext) -> list[tuple[str, str, str]]:
    occasion = matter.occasion
    judged = [(path, "judge", occasion.licences[path]) for path in occasion.data]
    return [*judged, *((path, "count false alarms", NOT_STATED) for path in occasion.ambient)]


# How well onset and offset are found.


def events(matter: ReportContext) -> str:
    """Collars, intersection and PSDS; or why there are none."""
    found = matter.evaluation.events
    if found is None:
        return paragraph(
            "No clip says when its label is heard: onsets and offsets were not judged."
        )
    told = (
        f"{found.events} events in {found.files} files. PSDS1 {decimals(found.psds1)}, "
        f"PSDS2 {decimals(found.psds2)}."
    )
    return paragraph(told) + table(
        ("matched by", "F1, mean over labels", "F1, pooled"), _rows(found)
    )


def _rows(found: EventMetrics) -> list[tuple[str, str, str]]:
    collars = [(f"collar of {seconds:g} s", score) for seconds, score in found.collar.items()]
    return [
        _row_events(name, score) for name, score in [*collars, ("intersection", found.intersection)]
    ]


def _row_events(name: str, score: EventScore) -> tuple[str, str, str]:
    return name, percent(score.macro_f1), percent(score.micro_f1)


# Clips that it gets right and clips that it gets wrong.


def examples(matter: ReportContext) -> str:
    """Waveform, log-mel and scores of each; the surest of different classes."""
    if not matter.shown:
        return ""
    labels = [label.slug for label in matter.manifest.labels]
    intro = paragraph(
        "Right ones first, then wrong ones; of each kind those with the highest score. Above the "
        "waveform, where somebody said when the label is heard, green; in the middle the log-mel that "
        "the model sees; below its scores, dark is high."
    )
    return intro + "".join(_example(shown, labels) for shown in matter.shown)


def _example(shown: ExampleView, labels: list[str]) -> str:
    example = shown.example
    told = "Right" if example.right else "Wrong"
    truth = listed(sorted(example.clip.labels))
    caption = (
        f"{told}: {example.clip.path.name} is {truth}; "
        f"highest score {example.score:.2f} for {example.guess}"
    )
    alt = f"Waveform, log-mel and scores over time of a clip of {truth}, taken for {example.guess}"
    return picture(draw_example(shown, labels), alt, caption)


# What the figures do not say.


def limits(matter: ReportContext) -> str:
    """The same as in the card."""
    found = summarise(matter.evaluation, matter.occasion)
    known = matter.manifest.provenance | {EVALUATION: found}
    return bullets(limit_lines(replace(matter.manifest, provenance=known)))


# When scores become events, and what each threshold would give.


def policies(matter: ReportContext) -> str:
    """Precision-recall curves, thresholds, the policies, and the calibration's remarks."""
    chosen = {label: matter.manifest.policies[label] for label in matter.evaluation.labels}
    return _origin(matter) + _curves(matter) + _thresholds(chosen) + _table(chosen)


def _origin(matter: ReportContext) -> str:
    found = matter.manifest.provenance.get(CALIBRATION)
    if found is None:
        return paragraph("The thresholds are not calibrated, see `trainer calibrate`.")
    told = f"Chosen for at most {found['false_alarms_per_day']:g} false alarms a day of all labels."
    return paragraph(told) + (bullets(found["remarks"]) if found["remarks"] else "")


def _curves(matter: ReportContext) -> str:
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
    return table(_HEADS_POLICIES, rows)


# Whether the scores can be read as chances.


def reliability(matter: ReportContext) -> str:
    """The reliability diagram of clips."""
    clip = matter.evaluation.clip
    error = percent(clip.calibration_error)
    return picture(
        draw_reliability(clip.reliability),
        f"Reliability diagram: the expected calibration error is {error}",
        f"Expected calibration error (ECE) {error}: how far scores are from the share that is right.",
    )


# The same clips in noise, in a room, louder and softer.


_UNITS = {"reverb": "s"}  # all else is in dB


def robustness(matter: ReportContext) -> str:
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


# What a person looks at first.


def summary(matter: ReportContext) -> str:
    """The main figures, and on what they were measured."""
    occasion = matter.occasion
    told = paragraph(
        f"Measured at {occasion.made} on {listed(occasion.data)}, folds {listed(occasion.folds)}."
    )
    figures = table(("what", "figure"), main_figures(summarise(matter.evaluation, matter.occasion)))
    return (warning(SEEN) if occasion.seen else "") + told + figures


# How it learnt, and what a careless evaluation would have claimed.


def training(matter: ReportContext) -> str:
    """Learning curves and the leaky figure beside the honest one; nothing if neither is known."""
    known = matter.manifest.provenance
    return _curves_training(known) + (_leak(known[LEAK]) if known.get(LEAK) else "")


def _curves_training(known: dict[str, Any]) -> str:
    if not known.get(CURVES):
        return ""
    return picture(
        draw_learning_curves(known[CURVES]),
        "Loss and accuracy over the epochs of each training",
        f"Validation when it stopped: {known['validation']}.",
    )


def _leak(leak: dict[str, Any]) -> str:
    told = (
        "Do not believe the second row. Its folds are shuffled patches, so that patches of one "
        "recording are learnt from and tested on."
    )
    rows = (
        ("whole recordings kept out", percent(leak["by_recording"])),
        ("patches shuffled over the folds", percent(leak["shuffled"])),
    )
    folds = f"{leak['patches']} patches, {leak['folds']} folds, the same head."
    return warning(told) + table(("tested on", "accuracy of patches"), rows) + paragraph(folds)


# An evaluation -> the files of its report.


SECTIONS = (
    Section("In short", summary),
    Section("Examples", examples),
    Section("Classes", classes),
    Section("Policies", policies),
    Section("In noise, in a room, at other levels", robustness),
    Section("Reliability", reliability),
    Section("Events", events),
    Section("False alarms", alarms),
    Section("Training", training),
    Section("Data", data),
    Section("Limits", limits),
)


def make_report(matter: ReportContext) -> dict[str, bytes]:
    """The page for people and the document for programs, by their file names."""
    document = json.dumps(document_of(matter.evaluation, matter.occasion), indent=1)
    return {
        PAGE_FILE: make_page(matter, SECTIONS).encode(),
        DOCUMENT_FILE: f"{document}\n".encode(),
    }

"""The report: an HTML page for people and the same figures as JSON for programs."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from listener.detection.bundle import Manifest
from trainer.data.files import NOT_STATED
from trainer.evaluation.evaluate_bundle import Evaluation
from trainer.evaluation.examples import ExampleView
from trainer.evaluation.scored_clips import BAND_LIMITED
from trainer.formatting import TEMPLATES, main_figures
from trainer.model_card import limit_lines
from trainer.provenance import EvaluationSection, provenance_of, to_document
from trainer.report import plots

PAGE_FILE = "index.html"
DOCUMENT_FILE = "evaluation.json"
MOST_DRAWN = 60  # labels whose thresholds are drawn; the table has them all
_NOT_IN_SUMMARY = {"curves", "examples"}  # these grow with the number of clips
_NOT_IN_SUMMARY_OF_CLIPS = {"confusion", "reliability"}  # of 521 labels one has 271 441 cells


@dataclass(frozen=True, slots=True)
class EvaluationRun:
    """When and on what a bundle was judged; `licences` by data set, `seen`: it knew some clips."""

    made: str
    data: tuple[str, ...]
    folds: tuple[int, ...]
    ambient: tuple[str, ...]
    licences: Mapping[str, str]
    seen: bool


@dataclass(frozen=True, slots=True)
class ReportContext:
    """What a report is made of."""

    manifest: Manifest
    evaluation: Evaluation
    run: EvaluationRun
    examples: tuple[ExampleView, ...]

    def document(self) -> dict[str, Any]:
        """Everything as JSON: `evaluation.json`."""
        return {**to_document(self.run), **to_document(self.evaluation)}

    def summary(self) -> EvaluationSection:
        """The figures without curves and matrices, for the bundle's provenance."""
        found: Any = {k: v for k, v in self.document().items() if k not in _NOT_IN_SUMMARY}
        for level in ("clip", "patch"):
            kept = found[level].items()
            found[level] = {k: v for k, v in kept if k not in _NOT_IN_SUMMARY_OF_CLIPS}
        return found


def make_report(context: ReportContext) -> dict[str, bytes]:
    """The page and the JSON document, by their file names."""
    manifest, evaluation, summary = context.manifest, context.evaluation, context.summary()
    judged = replace(manifest, provenance=manifest.provenance | {"evaluation": summary})
    slugs = [label.slug for label in manifest.labels]
    page = TEMPLATES.get_template("report/report.html.j2").render(
        evaluation=evaluation,
        station=summary["station"],
        run=context.run,
        known=provenance_of(manifest),
        policies={label: manifest.policies[label] for label in evaluation.labels},
        main_figures=list(main_figures(summary))[1:],  # the first is the first line
        diagonal=int(np.trace(evaluation.clip.confusion)),
        pictures={name: _to_base64(each) for name, each in _draw(context).items()},
        examples=[
            (each.example, _to_base64(plots.draw_example(each, slugs))) for each in context.examples
        ],
        limits=limit_lines(judged),
        band_limited=BAND_LIMITED,
        not_stated=NOT_STATED,
    )
    document = json.dumps(context.document(), indent=1)
    return {PAGE_FILE: page.encode(), DOCUMENT_FILE: f"{document}\n".encode()}


def _draw(context: ReportContext) -> dict[str, Figure]:
    """The pictures that this evaluation has."""
    evaluation, policies = context.evaluation, context.manifest.policies
    drawn = {label: policies[label] for label in evaluation.labels[:MOST_DRAWN]}
    figures = {
        "precision_recall": plots.draw_precision_recall(evaluation.curves),
        "policies": plots.draw_policies(drawn),
        "reliability": plots.draw_reliability(evaluation.clip.reliability),
    }
    if evaluation.clip.accuracy is not None:
        confusion = evaluation.clip.confusion
        figures["confusion"] = plots.draw_confusion(confusion, evaluation.labels)
    if evaluation.robustness:
        figures["noise"] = plots.draw_noise_curves(evaluation.robustness)
        full_hz = context.manifest.features.mel_max_hz
        figures["bandwidth"] = plots.draw_bandwidth_curve(evaluation.robustness, full_hz)
    if curves := provenance_of(context.manifest).get("learning_curves"):
        figures["learning_curves"] = plots.draw_learning_curves(curves)
    return figures


def _to_base64(figure: Figure) -> str:
    return base64.b64encode(plots.to_png(figure)).decode()

"""How well each class is told apart, and what it is taken for."""

from __future__ import annotations

from trainer.report.html import picture, table
from trainer.report.page import Matter
from trainer.report.pictures.confusion import draw_confusion
from trainer.report.words import decimals, percent

_HEADS = ("label", "clips", "precision", "recall", "F1", "average precision", "ROC-AUC")


def classes(matter: Matter) -> str:
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


def _confusion(matter: Matter) -> str:
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

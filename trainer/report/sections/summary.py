"""What a person looks at first."""

from __future__ import annotations

from trainer.report.html import paragraph, table, warning
from trainer.report.main_figures import main_figures
from trainer.report.page import Matter
from trainer.report.summary import summarise
from trainer.report.words import listed

SEEN = "The bundle learnt from these clips, or was tuned on them: the figures are too good."


def summary(matter: Matter) -> str:
    """The main figures, and on what they were measured."""
    occasion = matter.occasion
    told = paragraph(
        f"Measured at {occasion.made} on {listed(occasion.data)}, folds {listed(occasion.folds)}."
    )
    figures = table(("what", "figure"), main_figures(summarise(matter.evaluation, matter.occasion)))
    return (warning(SEEN) if occasion.seen else "") + told + figures

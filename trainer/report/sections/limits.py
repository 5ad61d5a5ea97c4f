"""What the figures do not say."""

from __future__ import annotations

from dataclasses import replace

from trainer.report.card.figures import EVALUATION
from trainer.report.card.limits import limit_lines
from trainer.report.html import bullets
from trainer.report.page import Matter
from trainer.report.summary import summarise


def limits(matter: Matter) -> str:
    """The same as in the card."""
    found = summarise(matter.evaluation, matter.occasion)
    known = matter.manifest.provenance | {EVALUATION: found}
    return bullets(limit_lines(replace(matter.manifest, provenance=known)))

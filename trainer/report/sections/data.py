"""On what it was judged, what could not be used, and under which licences."""

from __future__ import annotations

from trainer.data.files import NOT_STATED
from trainer.report.card.introduction import LESSON
from trainer.report.html import paragraph, table
from trainer.report.page import Matter


def data(matter: Matter) -> str:
    """Data sets with their licences, and the clips that were left out."""
    sets = table(("data", "used to", "licence"), [*_learnt_from(matter), *_judged_on(matter)])
    left_out = matter.evaluation.quarantined
    if not left_out:
        return sets + paragraph("No clip was left out.")
    told = paragraph(f"{len(left_out)} clips were left out:")
    return (
        sets + told + table(("file", "why"), [(str(each.path), each.reason) for each in left_out])
    )


def _learnt_from(matter: Matter) -> list[tuple[str, str, str]]:
    known = matter.manifest.provenance
    if LESSON not in known:
        return []
    licences = known.get("licences", {})
    return [(path, "learn", licences.get(path, NOT_STATED)) for path in known["data"]]


def _judged_on(matter: Matter) -> list[tuple[str, str, str]]:
    occasion = matter.occasion
    judged = [(path, "judge", occasion.licences[path]) for path in occasion.data]
    return [*judged, *((path, "count false alarms", NOT_STATED) for path in occasion.ambient)]

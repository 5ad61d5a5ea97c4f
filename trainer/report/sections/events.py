"""How well onset and offset are found."""

from __future__ import annotations

from trainer.evaluation.event_metrics import EventMetrics, EventScore
from trainer.report.html import paragraph, table
from trainer.report.page import Matter
from trainer.report.words import decimals, percent


def events(matter: Matter) -> str:
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
    return [_row(name, score) for name, score in [*collars, ("intersection", found.intersection)]]


def _row(name: str, score: EventScore) -> tuple[str, str, str]:
    return name, percent(score.macro_f1), percent(score.micro_f1)

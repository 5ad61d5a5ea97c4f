"""An evaluation -> the files of its report."""

from __future__ import annotations

import json

from trainer.report.page import Matter, Section, make_page
from trainer.report.sections.alarms import alarms
from trainer.report.sections.classes import classes
from trainer.report.sections.data import data
from trainer.report.sections.events import events
from trainer.report.sections.examples import examples
from trainer.report.sections.limits import limits
from trainer.report.sections.policies import policies
from trainer.report.sections.reliability import reliability
from trainer.report.sections.robustness import robustness
from trainer.report.sections.summary import summary
from trainer.report.sections.training import training
from trainer.report.summary import document_of

PAGE_FILE = "index.html"
DOCUMENT_FILE = "evaluation.json"

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


def make_report(matter: Matter) -> dict[str, bytes]:
    """The page for people and the document for programs, by their file names."""
    document = json.dumps(document_of(matter.evaluation, matter.occasion), indent=1)
    return {
        PAGE_FILE: make_page(matter, SECTIONS).encode(),
        DOCUMENT_FILE: f"{document}\n".encode(),
    }

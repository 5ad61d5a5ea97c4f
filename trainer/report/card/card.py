"""The whole card, section by section."""

from __future__ import annotations

from collections.abc import Callable

from listener.detection.bundle import Manifest
from trainer.forms.section import forms
from trainer.report.card.classes import classes
from trainer.report.card.figures import figures
from trainer.report.card.introduction import introduction
from trainer.report.card.leak import leak
from trainer.report.card.learnt_from import learnt_from
from trainer.report.card.limits import limits
from trainer.report.card.policies import policies
from trainer.report.card.retraining import retraining

Section = Callable[[Manifest], str]  # Markdown that begins with its heading; empty: nothing to say

SECTIONS: tuple[Section, ...] = (
    introduction,
    classes,
    learnt_from,
    figures,
    forms,
    leak,
    retraining,
    policies,
    limits,
)


def make_card(manifest: Manifest) -> str:
    """The card in Markdown, from what the manifest and its provenance say."""
    texts = (section(manifest).strip() for section in SECTIONS)
    return "\n\n".join(filter(None, texts)) + "\n"

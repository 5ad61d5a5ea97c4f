"""Whether the scores can be read as chances."""

from __future__ import annotations

from trainer.report.html import picture
from trainer.report.page import Matter
from trainer.report.pictures.reliability import draw_reliability
from trainer.report.words import percent


def reliability(matter: Matter) -> str:
    """The reliability diagram of clips."""
    clip = matter.evaluation.clip
    error = percent(clip.calibration_error)
    return picture(
        draw_reliability(clip.reliability),
        f"Reliability diagram: the expected calibration error is {error}",
        f"Expected calibration error (ECE) {error}: how far scores are from the share that is right.",
    )

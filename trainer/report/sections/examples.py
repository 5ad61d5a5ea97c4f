"""Clips that it gets right and clips that it gets wrong."""

from __future__ import annotations

from trainer.report.html import paragraph, picture
from trainer.report.page import Matter
from trainer.report.pictures.example import draw_example
from trainer.report.shown import Shown
from trainer.report.words import listed


def examples(matter: Matter) -> str:
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


def _example(shown: Shown, labels: list[str]) -> str:
    example = shown.example
    told = "Right" if example.right else "Wrong"
    truth = listed(sorted(example.clip.labels))
    caption = (
        f"{told}: {example.clip.path.name} is {truth}; "
        f"highest score {example.score:.2f} for {example.guess}"
    )
    alt = f"Waveform, log-mel and scores over time of a clip of {truth}, taken for {example.guess}"
    return picture(draw_example(shown, labels), alt, caption)

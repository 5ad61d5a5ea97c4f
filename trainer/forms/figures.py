"""What is known of a form of a model, and whether it may be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from listener.detection.bundle import LOOSEST_TOLERANCE
from trainer.config import Form
from trainer.report.figures import percent

MOST_LOST_POINTS = 0.5
_DIGITS = 6  # of points: 2 of 400 clips are 0.5 points in decimals, and a little more in binary


@dataclass(frozen=True, slots=True)
class FormFigures:
    """One form, measured beside float32 in the same run.

    `speed`: how many times as fast as float32, one thread, batches of 16. `accuracy` and
    `average_precision` (macro) are of clips, in [0, 1], None where the clips do not say. The losses
    against float32 are in points, less than 0 is a gain. `golden_tolerance`: how far the golden scores
    may be off, since a form that rounds its activations answers another CPU's rounding with other scores.
    """

    form: Form
    size_bytes: int
    speed: float
    accuracy: float | None
    average_precision: float | None
    accuracy_loss_points: float | None
    average_precision_loss_points: float | None
    golden_tolerance: float

    @property
    def fault(self) -> str | None:
        """Why the form is not offered; None if it is."""
        losses = (
            ("clip accuracy", self.accuracy_loss_points),
            ("macro average precision", self.average_precision_loss_points),
        )
        for what, points in losses:
            if points is not None and points > MOST_LOST_POINTS:
                return f"loses {points:.2f} points of {what}, at most {MOST_LOST_POINTS} are borne"
        if self.golden_tolerance > LOOSEST_TOLERANCE:
            return (
                f"a rounding error in the log-mel moves its scores by {self.golden_tolerance / 2:.2f}, "
                "so that no golden check can tell whether a station runs it right"
            )
        return None

    @property
    def summary(self) -> str:
        """All of it in one line."""
        return (
            f"{self.form}: {self.size_bytes / 1e6:.2f} MB, {self.speed:.2f} times as fast as float32, "
            f"clip accuracy {percent(self.accuracy)}, "
            f"macro average precision {percent(self.average_precision)}: {self.fault or 'offered'}"
        )


def lost_points(float32: float | None, form: float | None) -> float | None:
    """What a share in [0, 1] is less than float32's, in points; None where one is not known."""
    if float32 is None or form is None:
        return None
    return round(100.0 * (float32 - form), _DIGITS)


def smallest(figures: Sequence[FormFigures]) -> FormFigures:
    """The smallest form that is offered; float32 always is."""
    return min((each for each in figures if each.fault is None), key=lambda each: each.size_bytes)

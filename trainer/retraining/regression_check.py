"""The regression check: every old label on held-out clips, before the correction and after."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from trainer.errors import RegressionError
from trainer.evaluation.regression import LabelRegression, compare_labels, is_required
from trainer.retraining.holdout import HeldOutLabel
from trainer.retraining.linear_head import LinearHead
from trainer.retraining.training_set import CorrectionData


@dataclass(frozen=True, slots=True)
class RegressionCheck:
    """Old labels on clips that neither head was trained on; they may lose `most_loss` points of F1.

    `clips` 0: there were no held-out clips. `kept` are clips of new labels that check later bundles.
    `asked` are the required labels: only their regressions count; all do, if there are none. The
    provenance of a bundle has these fields and properties.
    """

    clips: int
    labels: tuple[LabelRegression, ...]
    most_loss: float
    kept: tuple[HeldOutLabel, ...] = ()
    asked: tuple[str, ...] = ()

    @property
    def lost(self) -> tuple[LabelRegression, ...]:
        """The regressions: labels that lost more of F1, of those that count."""
        counting = (each for each in self.labels if is_required(each.label, frozenset(self.asked)))
        return tuple(each for each in counting if each.lost_points > self.most_loss)


def check_regressions(
    data: CorrectionData, head: LinearHead, most_loss: float, required: Collection[str]
) -> RegressionCheck:
    """The base's head and a corrected one on the held-out clips."""
    held_out, asked = data.held_out, tuple(sorted(required))
    if held_out is None:
        return RegressionCheck(0, (), most_loss, asked=asked)
    embed, activation = data.builder.backbone.embed, data.builder.activation
    base_head, base_labels = data.builder.base_head, data.base.labels
    before = held_out.mean_scores(lambda p: base_head.scores(embed(p), activation))
    after = held_out.mean_scores(lambda p: head.scores(embed(p), activation))
    labels = compare_labels(
        held_out,
        before[:, : len(base_labels)],  # what follows is background
        base_labels,
        after[:, : len(data.labels)],
        data.labels,
    )
    # clips of new labels check nothing yet: the base does not know these labels
    kept = data.holdout.labels
    return RegressionCheck(len(held_out.targets), labels, most_loss, kept, asked)


def refuse_regressions(check: RegressionCheck, without_holdout: Collection[str]) -> None:
    """Refuse regressions, and labels `without_holdout`, for which nobody can know.

    Raises:
        RegressionError: it names the labels and what they lose.
    """
    if without_holdout:
        which = ", ".join(without_holdout) if check.asked else "the base"
        raise RegressionError(
            f"expected held-out clips of {which}, in the bundle (regression.npz) or in --data, found "
            "none: what would be forgotten is not known; --unproven goes on"
        )
    if check.lost:
        losses = ", ".join(f"{each.label} {each.lost_points:.1f}" for each in check.lost)
        raise RegressionError(
            f"old classes lose more than {check.most_loss:g} points of F1 on "
            f"{check.clips} held-out clips: {losses}"
        )

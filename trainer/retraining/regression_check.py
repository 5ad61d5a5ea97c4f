"""The regression check: every old label on held-out clips, before the correction and after."""

from dataclasses import dataclass

from trainer.errors import RegressionError
from trainer.evaluation import regression
from trainer.retraining import holdout, linear_head, training_set


@dataclass(frozen=True, slots=True)
class RegressionCheck:
    """Old labels on clips that neither head was trained on; they may lose `most_loss` points of F1.

    `clips` 0: there were no held-out clips. `kept` are clips of new labels that check later bundles.
    `asked` are the required labels: only their regressions count; all do, if there are none. The
    provenance of a bundle has these fields and properties.
    """

    clips: int
    labels: tuple[regression.LabelRegression, ...]
    most_loss: float
    kept: tuple[holdout.HeldOutLabel, ...] = ()
    asked: tuple[str, ...] = ()

    @property
    def lost(self) -> tuple[regression.LabelRegression, ...]:
        """The regressions: labels that lost more of F1, of those that count."""
        counting = (
            each
            for each in self.labels
            if regression.is_required(each.label, frozenset(self.asked))
        )
        return tuple(each for each in counting if each.lost_points > self.most_loss)


def check_regressions(
    data: training_set.CorrectionData,
    head: linear_head.LinearHead,
    most_loss: float,
    required: frozenset[str],
    *,
    without_holdout: bool,
) -> RegressionCheck:
    """Compare the base's head and a corrected one on the held-out clips.

    `without_holdout`: labels without held-out clips are no reason to refuse.

    Raises:
        RegressionError: an old label loses too much, or has no held-out clips; it names the labels.
    """
    held_out, asked = data.held_out, tuple(sorted(required))
    unproven = regression.labels_without_holdout(data.base.labels, required, held_out)
    if unproven and not without_holdout:
        which = ", ".join(unproven) if required else "the base"
        raise RegressionError(
            f"expected held-out clips of {which}, in the bundle (regression.npz) or in --data, found "
            "none: what would be forgotten is not known; --unproven goes on"
        )
    if held_out is None:
        return RegressionCheck(0, (), most_loss, asked=asked)
    embed, activation = data.builder.backbone.embed, data.builder.activation
    base_head, base_labels = data.builder.base_head, data.base.labels
    before = held_out.mean_scores(lambda p: base_head.scores(embed(p), activation))
    after = held_out.mean_scores(lambda p: head.scores(embed(p), activation))
    before, after = before[:, : len(base_labels)], after[:, : len(data.labels)]  # no background
    labels = regression.compare_labels(held_out, before, base_labels, after, data.labels)
    # clips of new labels check nothing yet: the base does not know these labels
    kept = data.holdout.labels
    check = RegressionCheck(len(held_out.targets), labels, most_loss, kept, asked)
    if check.lost:
        losses = ", ".join(f"{each.label} {each.lost_points:.1f}" for each in check.lost)
        raise RegressionError(
            f"old classes lose more than {most_loss:g} points of F1 on {check.clips} held-out clips: "
            f"{losses}"
        )
    return check

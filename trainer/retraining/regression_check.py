"""The regression check: events of every old label on held-out clips, before the correction and after."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from listener.detection.policy import LabelPolicy
from trainer.errors import RegressionError
from trainer.evaluation import lost_events, regression, station_events
from trainer.retraining import linear_head, training_set, verdicts


@dataclass(frozen=True, slots=True)
class RegressionCheck:
    """Old labels on clips that neither head was trained on; they may lose `most_loss` points of recall.

    `clips` 0: there were no held-out clips. `station` is what the new bundle does with them, None
    without. `kept` are clips of new labels that check later bundles. `asked` are the required labels:
    only their regressions count; all do, if there are none. The provenance of a bundle has these fields
    and properties.
    """

    clips: int
    labels: tuple[lost_events.LabelRegression, ...]
    most_loss: float
    station: station_events.StationEvents | None = None
    kept: tuple[verdicts.HeldOutLabel, ...] = ()
    asked: tuple[str, ...] = ()

    @property
    def lost(self) -> tuple[lost_events.LabelRegression, ...]:
        """The regressions: labels that lost more than the limit and more than by chance."""
        return tuple(each for each in self._counting() if each.is_lost(self.most_loss))

    @property
    def in_doubt(self) -> tuple[lost_events.LabelRegression, ...]:
        """Labels that lost more than the limit, in so few clips that it may be chance."""
        return tuple(
            each
            for each in self._counting()
            if each.lost_points > self.most_loss and not each.is_lost(self.most_loss)
        )

    def _counting(self) -> list[lost_events.LabelRegression]:
        asked = frozenset(self.asked)
        return [each for each in self.labels if regression.is_required(each.label, asked)]

    def refuse_losses(self) -> None:
        """Nothing, if no label is lost.

        Raises:
            RegressionError: one is; it names the labels with their counts.
        """
        if self.lost:
            losses = "; ".join(each.fault(self.most_loss) for each in self.lost)
            raise RegressionError(
                f"more than {self.most_loss:g} points of old classes are lost, and not by chance: {losses}"
            )


def refuse_unproven(
    data: training_set.CorrectionData, required: frozenset[str], *, without_holdout: bool
) -> None:
    """Nothing, if held-out clips can show what is forgotten, or need not.

    Raises:
        RegressionError: a label has none; it names the labels.
    """
    unproven = regression.labels_without_holdout(data.base.labels, required, data.held_out)
    if unproven and not without_holdout:
        which = ", ".join(unproven) if required else "the base"
        raise RegressionError(
            f"expected held-out clips of {which}, in the bundle (regression.npz) or in --data, found "
            "none: what would be forgotten is not known; --unproven goes on"
        )


def check_regressions(
    data: training_set.CorrectionData,
    head: linear_head.LinearHead,
    policies: Mapping[str, LabelPolicy],
    most_loss: float,
    required: frozenset[str],
) -> RegressionCheck:
    """The events of the base and of a corrected head with its policies, on the held-out clips.

    `policies` are in the order of the new bundle's labels.
    """
    held_out, asked = data.held_out, tuple(sorted(required))
    if held_out is None:
        return RegressionCheck(0, (), most_loss, asked=asked)
    hop, old = data.builder.backbone.features.patch_hop_seconds, data.base.labels
    base_policies = {label: data.base.manifest.policies[label] for label in old}
    files_before = data.score_held_out(data.builder.base_head).files
    before = station_events.count_events(
        [file.with_columns(range(len(old))) for file in files_before], base_policies, hop
    )
    files = data.score_held_out(head).files
    after = station_events.count_events(files, policies, hop)
    targets, known = held_out.targets_of(data.labels)
    added = np.zeros((len(files), len(data.labels) - len(old)), np.intp)
    labels = lost_events.compare_labels(
        data.labels, targets, known, np.concatenate((before, added), axis=1), after
    )
    return RegressionCheck(
        clips=len(files),
        labels=labels,
        most_loss=most_loss,
        station=station_events.judge_events(after, files, targets, known, data.labels),
        # clips of new labels check nothing yet: the base does not know these labels
        kept=data.holdout.labels,
        asked=asked,
    )

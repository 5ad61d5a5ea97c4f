"""Certificate: what each old class was worth before the learning, and what after."""

from __future__ import annotations

from dataclasses import dataclass

from trainer.errors import RegressionError
from trainer.evaluation.regression import (
    LabelRegression,
    RegressionSet,
    compare_labels,
    is_required,
)
from trainer.model.backbones import Backbone
from trainer.model.settings import Activation
from trainer.retraining.holdout import Kept
from trainer.retraining.linear_head import LinearHead


@dataclass(frozen=True, slots=True)
class RegressionCheck:
    """Every old label on clips that neither head learnt from; `most_loss` points of F1 are borne.

    `clips` 0: there were none to judge by. `kept` are clips of new labels that later bundles are held to.
    `asked`: the losses of these labels alone count; of all, if there are none.
    """

    clips: int
    labels: tuple[LabelRegression, ...]
    most_loss: float
    kept: tuple[Kept, ...] = ()
    asked: tuple[str, ...] = ()

    @property
    def lost(self) -> tuple[LabelRegression, ...]:
        """The labels that lost more of F1, of those that count."""
        counting = (each for each in self.labels if is_required(each.label, frozenset(self.asked)))
        return tuple(each for each in counting if each.lost_points > self.most_loss)


def certify(
    held_out: RegressionSet | None,
    before: LinearHead,
    before_labels: tuple[str, ...],
    after: LinearHead,
    after_labels: tuple[str, ...],
    backbone: Backbone,
    activation: Activation,
    most_loss: float,
    kept: tuple[Kept, ...] = (),
    asked: tuple[str, ...] = (),
) -> RegressionCheck:
    """Both heads on the embeddings of the held-out clips; their further outputs are background.

    `kept` clips judge nothing yet: the head before does not know their labels.
    """
    if held_out is None:
        return RegressionCheck(0, (), most_loss, asked=asked)
    old = held_out.mean_scores(lambda p: before.scores(backbone.embed(p), activation))
    new = held_out.mean_scores(lambda p: after.scores(backbone.embed(p), activation))
    labels = compare_labels(
        held_out,
        old[:, : len(before_labels)],
        before_labels,
        new[:, : len(after_labels)],
        after_labels,
    )
    return RegressionCheck(len(held_out.targets), labels, most_loss, kept, asked)


def check_certificate(certificate: RegressionCheck, unproven: tuple[str, ...]) -> None:
    """Refuse what costs too much, and labels of which nothing tells what is forgotten (`unproven`).

    Raises:
        CertificateError: it names the labels and what they lose.
    """
    if unproven:
        which = ", ".join(unproven) if certificate.asked else "the base"
        raise RegressionError(
            f"expected held-out clips of {which}, in the bundle (regression.npz) or in --data, found none: "
            "nothing tells what would be forgotten; --unproven goes on"
        )
    if certificate.lost:
        losses = ", ".join(f"{each.label} {each.lost_points:.1f}" for each in certificate.lost)
        raise RegressionError(
            f"old classes lose more than {certificate.most_loss:g} points of F1 on "
            f"{certificate.clips} held-out clips: {losses}"
        )

"""`trainer retrain`: a bundle and a clip store in, the bundle corrected by people out."""

import logging
from dataclasses import dataclass
from pathlib import Path

from listener.detection.bundle import Bundle
from listener.detection.policy import LabelPolicy, policy_for
from trainer.data import duration
from trainer.data.alike import warn_of_alike_takes
from trainer.errors import DataError, TargetError
from trainer.evaluation import operating_points
from trainer.evaluation.regression import missing_labels
from trainer.export.bundle import check_target
from trainer.retraining import (
    cross_validation,
    linear_head,
    regression_check,
    summary,
    thresholds,
    training_set,
    write,
)
from trainer.terminal import ReportClips

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetrainRequest:
    """What `trainer retrain` is asked for.

    Without `data` old classes are kept by the base's own outputs, without `false_alarms_per_day` the
    base's budget holds, and without `version` it is one more than the base's. `without_holdout`: go on
    without held-out clips. Regressions count for `required_labels`, those that the station listens for,
    or for all labels, if there are none.
    """

    clips: Path
    base: Bundle
    out: Path
    cache: Path
    data: tuple[Path, ...] = ()
    new_classes: bool = False
    most_loss: float = 1.0
    without_holdout: bool = False
    false_alarms_per_day: float | None = None
    version: int | None = None
    required_labels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Retrained:
    """The bundle, and what was found on the way."""

    bundle: Bundle
    findings: summary.Findings


def retrain(request: RetrainRequest, report: ReportClips) -> Retrained:
    """Read, embed, review labels, train, fit thresholds to the room, check for regressions, write.

    The table of the regression check goes to stderr, before a refusal too.

    Raises:
        RegressionError: an old class loses too much; nothing is written.
        DataError, BackboneError, FitError, TargetError, ParityError, BundleError: one line on what is
            wrong.
    """
    base, required = request.base, request.required_labels
    check_target(request.out)
    if request.out.resolve() == base.path.resolve():
        raise TargetError(
            f"{request.out}: expected another path than the base's, which stays as it is"
        )
    data = training_set.read_correction_data(
        base, request.clips, request.data, request.cache, report, new_classes=request.new_classes
    )
    if missing := ", ".join(missing_labels(data.labels, required)):
        raise DataError(f"--label: neither {base.id} nor what is added has {missing}")
    warn_of_alike_takes(data.judged_clips, data.verdicts.new_labels)
    regression_check.refuse_unproven(data, required, without_holdout=request.without_holdout)
    log.info("reviewing %d verdicts", len(data.judged))
    doubts = cross_validation.find_doubts(data)
    log.info("training on %d verdicts", len(data.judged))
    head = data.fit_head(range(len(data.judged)))
    budget = request.false_alarms_per_day or operating_points.budget_of(base)
    ambient = thresholds.fit_to_ambient(_policies(data, head), data.score_ambient(head), budget)
    check = regression_check.check_regressions(
        data, head, ambient.policies, request.most_loss, required
    )
    summary.show_check(check)  # also where it refuses
    summary.show_ambient(ambient)  # raised thresholds may be why a label is lost
    check.refuse_losses()
    record = write.RetrainingRecord(
        base=base.id,
        clips=str(request.clips),
        verdicts=len(data.judged),
        ambient=len(data.ambient.clips),
        rehearsal="its own data" if request.data else "its own outputs",
        new_labels=data.verdicts.new_labels,
        certificate=check,
        doubts=doubts,
        false_alarms_per_day=budget,
        raised=ambient.raised,
        alarms=ambient.alarms,
    )
    version = request.version or base.manifest.version + 1
    bundle = write.write_retrained(request.out, version, data, head, ambient.policies, record)
    return Retrained(bundle, summary.Findings(check, doubts, ambient))


def _policies(
    data: training_set.CorrectionData, head: linear_head.LinearHead
) -> dict[str, LabelPolicy]:
    """The base's; for new labels thresholds between their own clips and held-out ones of old labels."""
    policies = dict(data.base.manifest.policies)
    for label in data.verdicts.new_labels:
        judged = data.judged_clips
        seconds = duration.class_seconds(judged.table, label, judged.features)
        policies[label] = policy_for(duration.classify(seconds))
    policies = {label: policies[label] for label in data.labels}  # in the order of the scores
    if data.verdicts.new_labels:
        log.info("scoring clips of new labels by heads that were not trained on them")
        others = data.score_held_out(head)
        for label, own in cross_validation.cross_validated_scores(data).items():
            column = data.labels.index(label)
            if label in data.widening.labels:
                policies[label] = _place_widened(data, head, policies[label], label, own)
            else:
                policies[label] = thresholds.place_threshold(
                    policies[label], column, own.takes, others
                )
    return policies


def _place_widened(
    data: training_set.CorrectionData,
    head: linear_head.LinearHead,
    policy: LabelPolicy,
    label: str,
    own: cross_validation.OwnScores,
) -> LabelPolicy:
    """Between its takes and other sounds; where these score as high, the takes are kept and it is said."""
    widening = data.widening
    others = [
        data.score_embedded(each, head)
        for each in (widening.held_tones, widening.held_bank, data.held_out_embeddings)
    ]
    placed, share = thresholds.place_widened(
        policy, data.labels.index(label), own.takes, own.copies, others
    )
    if share > thresholds.OTHERS_FIRING:
        log.warning(
            "%s: %.0f %% of other tones and sounds score as high as its own takes: expect it to be heard "
            "where another one sounds",
            label,
            100 * share,
        )
    return placed

"""`trainer retrain`: a bundle and a clip store in, the bundle corrected by people out."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from listener.detection.bundle import Bundle
from listener.detection.policy import LabelPolicy
from trainer.errors import DataError, TargetError
from trainer.evaluation.regression import labels_without_holdout, missing_labels
from trainer.export.bundle import check_target
from trainer.retraining.base_bundle import budget_of
from trainer.retraining.cross_validation import score_unheard
from trainer.retraining.label_review import LabelDoubt, find_doubts
from trainer.retraining.linear_head import LinearHead
from trainer.retraining.regression_check import RegressionCheck, certify, check_certificate
from trainer.retraining.thresholds import Files, RoomCheck, fit_to_room, place_between
from trainer.retraining.training_set import CorrectionData, prepare
from trainer.retraining.write import Corrected, Learned, write_corrected
from trainer.terminal import ReportClips
from trainer.training.fit_bundle import DEFAULT_POLICY

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetrainRequest:
    """What `trainer retrain` is asked for.

    No `data`: old classes are kept by the base's own outputs. No `false_alarms_per_day`: the base's
    budget. `version` None: one more than the base's. `unproven`: go on without held-out clips. `asked`
    are the labels that the station listens for, all if none: what is forgotten of others is no loss.
    """

    clips: Path
    base: Bundle
    out: Path
    cache: Path
    data: tuple[Path, ...] = ()
    new_classes: bool = False
    most_loss: float = 1.0
    unproven: bool = False
    false_alarms_per_day: float | None = None
    version: int | None = None
    asked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Findings:
    """What the learning cost, left in doubt, and needs in this room."""

    certificate: RegressionCheck
    doubts: tuple[LabelDoubt, ...]
    room: RoomCheck


@dataclass(frozen=True, slots=True)
class Retrained:
    """The bundle, and what was found on the way."""

    bundle: Bundle
    findings: Findings


def retrain(request: RetrainRequest, report: ReportClips) -> Retrained:
    """Read, embed, look again, learn, certify, fit to the room, write.

    Raises:
        CertificateError: an old class loses too much; nothing is written.
        DataError, BackboneError, FitError, TargetError, ParityError, BundleError: one line on what is
            wrong.
    """
    _check_out(request)
    base = request.base
    classroom = prepare(
        base, request.clips, request.data, request.cache, report, new_classes=request.new_classes
    )
    _check_asked(request, classroom)
    doubts = _look_again(classroom)
    learnt = _learn(classroom)
    certificate = _certify(request, classroom, learnt)
    unproven = labels_without_holdout(base.labels, request.asked, classroom.held_out)
    check_certificate(certificate, () if request.unproven else unproven)
    findings = Findings(certificate, doubts, _fit_to_room(request, classroom, learnt))
    version = request.version or base.manifest.version + 1
    corrected = _corrected(request, classroom, learnt, findings)
    backbone = classroom.kitchen.backbone
    return Retrained(write_corrected(request.out, base, backbone, corrected, version), findings)


def _check_out(request: RetrainRequest) -> None:
    check_target(request.out)
    if request.out.resolve() == request.base.path.resolve():
        raise TargetError(
            f"{request.out}: expected another place than the base's own, which stays as it is"
        )


def _check_asked(request: RetrainRequest, classroom: CorrectionData) -> None:
    missing = ", ".join(missing_labels(classroom.labels, request.asked))
    if missing:
        raise DataError(f"--label: neither {request.base.id} nor what is added has {missing}")


def _look_again(classroom: CorrectionData) -> tuple[LabelDoubt, ...]:
    log.info("looking at %d verdicts again", len(classroom.judged))
    lesson = classroom.kitchen.lesson
    return find_doubts(
        classroom.judged,
        classroom.verdicts,
        classroom.beside[1:],  # not the rehearsal, which may be the bundle's own word
        classroom.kitchen.columns,
        lesson.fit,
        lesson.batch_size,
    )


def _learn(classroom: CorrectionData) -> LinearHead:
    log.info("learning from %d verdicts", len(classroom.judged))
    return classroom.learn(range(len(classroom.judged)))


def _certify(
    request: RetrainRequest, classroom: CorrectionData, learnt: LinearHead
) -> RegressionCheck:
    base = request.base
    return certify(
        classroom.held_out,
        classroom.kitchen.before,
        base.labels,
        learnt,
        classroom.labels,
        classroom.kitchen.backbone,
        base.manifest.activation,
        request.most_loss,
        classroom.sparing.kept,
        tuple(sorted(request.asked)),
    )


def _fit_to_room(
    request: RetrainRequest, classroom: CorrectionData, learnt: LinearHead
) -> RoomCheck:
    ambient = classroom.ambient
    files = [classroom.score_clip(ambient, n, learnt) for n in range(len(ambient.clips))]
    budget = request.false_alarms_per_day or budget_of(request.base)
    policies = _policies(request.base, classroom, learnt)
    return fit_to_room(policies, files, budget, ambient.features.patch_hop_seconds)


def _policies(
    base: Bundle, classroom: CorrectionData, learnt: LinearHead
) -> dict[str, LabelPolicy]:
    """The base's; those of new labels between their own clips and the held-out ones of old labels."""
    policies = {
        label: base.manifest.policies.get(label, DEFAULT_POLICY) for label in classroom.labels
    }
    if not classroom.station.new_labels:
        return policies
    log.info("scoring clips of new labels by heads that never heard them")
    others = classroom.score_held_out(learnt)
    hop = classroom.judged_clips.features.patch_hop_seconds
    for label, files in score_unheard(classroom).items():
        own, column = Files(tuple(files), hop), classroom.labels.index(label)
        policies[label] = place_between(policies[label], column, own, others)
    return policies


def _corrected(
    request: RetrainRequest, classroom: CorrectionData, learnt: LinearHead, findings: Findings
) -> Corrected:
    room = findings.room
    lessons = Learned(
        base=request.base.id,
        clips=str(request.clips),
        verdicts=len(classroom.judged),
        ambient=len(classroom.ambient.clips),
        rehearsal="its own data" if request.data else "its own outputs",
        new_labels=classroom.station.new_labels,
        certificate=findings.certificate,
        doubts=findings.doubts,
        false_alarms_per_day=room.false_alarms_per_day,
        raised=room.raised,
        alarms=room.alarms,
    )
    heard = frozenset(each.digest for each in classroom.ambient.clips)
    judged = frozenset(each.digest for each in classroom.judged_clips.clips)
    return Corrected(
        learnt,
        room.policies,
        classroom.held_out_next,
        classroom.remembered(),
        lessons,
        judged | heard,
        heard,
        classroom.sparing.spared_files,
    )

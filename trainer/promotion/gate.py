"""The gate: what a candidate must not lose, and where it must be silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from listener.detection.bundle import Bundle, BundleError, check_golden
from listener.engines.litert import LiteRTEngine
from trainer.data.clip_store import is_quiet, read_store
from trainer.errors import DataError
from trainer.evaluation.false_alarms import (
    ambient_alarms,
    noise_alarms,
    noise_classes_of,
    score_ambient,
)
from trainer.evaluation.operating_points import allowed_alarms
from trainer.evaluation.regression import (
    RegressionSet,
    ScorePatches,
    compare_labels,
    is_required,
    labels_without_holdout,
    missing_labels,
    read_regression,
)
from trainer.evaluation.scoring import open_scorer, ordered_policies
from trainer.evaluation.selection import Progress

_FRONT_END = "patch_hop_seconds"  # may differ: the held-out patches do not overlap


@dataclass(frozen=True, slots=True)
class GateRequest:
    """What a candidate is held to.

    `current` is the bundle in use, None where there is none yet. `store` gives the room's ambient clips,
    `false_alarms_per_day` what they may give. `noise_labels` are right to hear noise, beside AudioSet's
    own classes of noise. `most_loss` points of F1 of a label on the current bundle's held-out clips are
    borne. `unproven`: go on without them. `asked` are the labels that the station listens for, all of them
    if none: what the others hear, or forget, is nobody's loss.
    """

    candidate: Bundle
    current: Bundle | None
    store: Path | None
    false_alarms_per_day: float
    most_loss: float = 0.0
    noise_labels: frozenset[str] = frozenset()
    unproven: bool = False
    asked: frozenset[str] = frozenset()


def find_faults(request: GateRequest, progress: Progress | None = None) -> tuple[str, ...]:
    """Every reason to refuse a candidate, a line each; empty if it passes.

    Raises:
        DataError: the store cannot be read.
        BundleError: one of the models cannot be run.
    """
    broken = _check_golden(request)
    if broken:  # its scores mean nothing
        return tuple(broken)
    return (
        *_check_asked(request),
        *_check_known(request),
        *_check_noise(request),
        *_check_room(request, progress),
    )


def _check_golden(request: GateRequest) -> list[str]:
    candidate = request.candidate
    try:
        check_golden(candidate, LiteRTEngine(candidate.model_path).infer)
    except BundleError as error:
        return [str(error)]
    return []


def _check_asked(request: GateRequest) -> list[str]:
    candidate = request.candidate
    missing = ", ".join(missing_labels(candidate.labels, request.asked))
    return [f"labels: {candidate.id} has none that is called {missing}"] if missing else []


def _check_known(request: GateRequest) -> list[str]:
    """Nothing lost of what the bundle in use knows."""
    candidate, current = request.candidate, request.current
    if current is None:
        return []
    gone = sorted(set(current.labels) - set(candidate.labels))
    if gone:
        return [f"labels: expected those of {current.id}, missing are {', '.join(gone)}"]
    held_out = read_regression(current)
    unproven = labels_without_holdout(current.labels, request.asked, held_out)
    if unproven and not request.unproven:
        which = f" of {', '.join(unproven)}" if request.asked else ""
        return [
            f"{current.id} has no held-out clips{which} to compare by (regression.npz); see --unproven"
        ]
    return [] if held_out is None else _check_losses(request, current, held_out)


def _check_losses(request: GateRequest, current: Bundle, held_out: RegressionSet) -> list[str]:
    candidate = request.candidate
    if not _hear_alike(current, candidate):
        return [f"front end: expected that of {current.id}, whose held-out clips are log-mel of it"]
    losses = compare_labels(
        held_out,
        held_out.mean_scores(_score(current)),
        current.labels,
        held_out.mean_scores(_score(candidate)),
        candidate.labels,
    )
    return [
        f"{each.label}: loses {each.lost_points:.1f} points of F1 on {each.clips} held-out clips "
        f"of {current.id}, at most {request.most_loss:g} are borne"
        for each in losses
        if each.lost_points > request.most_loss and is_required(each.label, request.asked)
    ]


def _hear_alike(first: Bundle, second: Bundle) -> bool:
    ones, others = first.manifest.features, second.manifest.features
    names = [name for name in ones.__dataclass_fields__ if name != _FRONT_END]
    return all(getattr(ones, name) == getattr(others, name) for name in names)


def _score(bundle: Bundle) -> ScorePatches:
    infer = LiteRTEngine(bundle.model_path).infer
    return lambda patches: infer(patches)[0]


def _check_noise(request: GateRequest) -> list[str]:
    candidate = request.candidate
    ignored = request.noise_labels | noise_classes_of(candidate) | _not_asked(request)
    found = noise_alarms(open_scorer(candidate), ordered_policies(candidate), ignored=ignored)
    return [
        f"{each.sound} at {each.level_dbfs:g} dBFS: expected silence, heard {_counted(each.events)}"
        for each in found
        if each.events
    ]


def _not_asked(request: GateRequest) -> frozenset[str]:
    labels = request.candidate.labels
    return frozenset(label for label in labels if not is_required(label, request.asked))


def _check_room(request: GateRequest, progress: Progress | None) -> list[str]:
    """The budget of false alarms on what the room sounds like without any of the sounds."""
    if request.store is None:
        return []
    files = [record.path for record in read_store(request.store).records if is_quiet(record)]
    if not files:
        raise DataError(f"{request.store}: expected ambient clips, found none")
    candidate = request.candidate
    policies, hop = ordered_policies(candidate), candidate.manifest.features.patch_hop_seconds
    found = ambient_alarms(score_ambient(open_scorer(candidate), files, progress), policies, hop)
    hours, not_asked = found.total.hours, _not_asked(request)
    allowed = allowed_alarms(request.false_alarms_per_day, hours)
    counts = {label: rate.alarms for label, rate in found.labels.items() if label not in not_asked}
    total, events = sum(counts.values()), {label: n for label, n in counts.items() if n}
    if total <= allowed:
        return []
    return [
        f"ambient clips: {total} false alarms in {hours:.2f} h, "
        f"{request.false_alarms_per_day:g} a day allow {allowed}: {_counted(events)}"
    ]


def _counted(events: Mapping[str, int]) -> str:
    return ", ".join(f"{label} {count}" for label, count in events.items())

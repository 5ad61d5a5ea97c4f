"""The gate: what a candidate bundle must not lose, and where it must stay silent."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from listener.detection.bundle import Bundle, BundleError, check_golden
from listener.engines.litert import LiteRTEngine
from trainer.data.clip_store import is_quiet, read_store
from trainer.errors import DataError
from trainer.evaluation import (
    false_alarms,
    lost_events,
    operating_points,
    regression,
    scoring,
    station_events,
)
from trainer.terminal import Progress

_MAY_DIFFER = "patch_hop_seconds"  # of the front end: held-out clips are cut at any hop


@dataclass(frozen=True, slots=True)
class GateRequest:
    """What a candidate is checked against.

    `current` is the bundle in use, None if there is none yet. `false_alarms_per_day` is the budget on the
    ambient clips of `store`. `noise_labels` may hear noise, as AudioSet's own classes of noise may.
    `most_loss` is how many points of event recall a label may lose on the current bundle's held-out
    clips; with `without_holdout` there need not be any. `required_labels` are those that the station
    listens for, all if empty: what the other labels hear or lose does not count.
    """

    candidate: Bundle
    current: Bundle | None
    store: Path | None
    false_alarms_per_day: float
    most_loss: float = 1.0
    noise_labels: frozenset[str] = frozenset()
    without_holdout: bool = False
    required_labels: frozenset[str] = frozenset()

    def requires(self, label: str) -> bool:
        """Whether the station listens for the label."""
        return regression.is_required(label, self.required_labels)


def find_faults(request: GateRequest, progress: Progress | None = None) -> tuple[str, ...]:
    """Every reason to refuse a candidate, one line each; empty if it passes.

    Raises:
        DataError: the store cannot be read.
        BundleError: one of the models cannot be run.
    """
    candidate = request.candidate
    try:
        check_golden(candidate, LiteRTEngine(candidate.model_path).infer)
    except BundleError as error:  # its scores mean nothing
        return (str(error),)
    faults = _find_losses(request) + _find_noise_alarms(request)
    if request.store is not None:
        faults += _find_ambient_alarms(request, request.store, progress)
    missing = ", ".join(regression.missing_labels(candidate.labels, request.required_labels))
    if missing:
        faults.insert(0, f"labels: {candidate.id} has no label called {missing}")
    return tuple(faults)


def _find_losses(request: GateRequest) -> list[str]:
    """What the candidate loses of what the bundle in use knows."""
    candidate, current = request.candidate, request.current
    if current is None:
        return []
    gone = sorted(set(current.labels) - set(candidate.labels))
    if gone:
        return [f"labels: expected those of {current.id}, missing are {', '.join(gone)}"]
    held_out = regression.read_regression(current)
    required = request.required_labels
    unknown = regression.labels_without_holdout(current.labels, required, held_out)
    if unknown and not request.without_holdout:
        which = f" of {', '.join(unknown)}" if required else ""
        return [
            f"{current.id} has no held-out clips{which} to compare by (regression.npz); see --unproven"
        ]
    if held_out is None:
        return []
    ones, others = current.manifest.features, candidate.manifest.features
    names = [name for name in ones.__dataclass_fields__ if name != _MAY_DIFFER]
    if any(getattr(ones, name) != getattr(others, name) for name in names):
        return [f"front end: expected that of {current.id}, whose held-out clips are log-mel of it"]
    labels = lost_events.compare_labels(
        held_out.labels,
        held_out.targets,
        held_out.known,
        *(_count_events(bundle, held_out) for bundle in (current, candidate)),
    )
    lost_events.show_regressions(labels)
    return [
        f"{each.fault(request.most_loss)}: held-out clips of {current.id}, of which at most "
        f"{request.most_loss:g} points may be lost, and more only by chance"
        for each in labels
        if request.requires(each.label) and each.is_lost(request.most_loss)
    ]


def _count_events(bundle: Bundle, held_out: regression.RegressionSet) -> station_events.EventCounts:
    """The bundle's own events in the held-out clips, (N, K) by the labels of these."""
    features, infer = bundle.manifest.features, LiteRTEngine(bundle.model_path).infer
    scores = held_out.infer(lambda patches: infer(patches)[0], features)
    files = regression.files_of(scores, features)
    policies = scoring.ordered_policies(bundle)
    counts = station_events.count_events(files, policies, features.patch_hop_seconds)
    return regression.columns_of(counts, bundle.labels, held_out.labels)


def _find_noise_alarms(request: GateRequest) -> list[str]:
    """Events in generated noise and silence, of labels that must not hear it."""
    candidate = request.candidate
    ignored = request.noise_labels | false_alarms.noise_classes_of(candidate)
    ignored |= {label for label in candidate.labels if not request.requires(label)}
    policies = scoring.ordered_policies(candidate)
    return [
        f"{each.sound} at {each.level_dbfs:g} dBFS: expected silence, heard {_counted(each.events)}"
        for each in false_alarms.noise_alarms(
            scoring.open_scorer(candidate), policies, ignored=ignored
        )
        if each.events
    ]


def _find_ambient_alarms(request: GateRequest, store: Path, progress: Progress | None) -> list[str]:
    """Events on the station's ambient clips, if they are more than the budget allows."""
    files = [record.path for record in read_store(store).records if is_quiet(record)]
    if not files:
        raise DataError(f"{store}: expected ambient clips, found none")
    candidate = request.candidate
    policies, hop = (
        scoring.ordered_policies(candidate),
        candidate.manifest.features.patch_hop_seconds,
    )
    scored = false_alarms.score_ambient(scoring.open_scorer(candidate), files, progress)
    found = false_alarms.ambient_alarms(scored, policies, hop)
    counts = {k: rate.alarms for k, rate in found.labels.items() if request.requires(k)}
    total, hours = sum(counts.values()), found.total.hours
    allowed = operating_points.allowed_alarms(request.false_alarms_per_day, hours)
    if total <= allowed:
        return []
    events = _counted({label: count for label, count in counts.items() if count})
    return [
        f"ambient clips: {total} false alarms in {hours:.2f} h, "
        f"{request.false_alarms_per_day:g} a day allow {allowed}: {events}"
    ]


def _counted(events: Mapping[str, int]) -> str:
    return ", ".join(f"{label} {count}" for label, count in events.items())

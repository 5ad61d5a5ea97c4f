"""`trainer promote` and `trainer rollback`: which bundle a station uses."""

import logging
from dataclasses import dataclass
from pathlib import Path

from listener.detection.bundle import Bundle, read_bundle
from trainer.errors import PromotionError, TargetError
from trainer.evaluation.operating_points import budget_of
from trainer.promotion.gate import GateRequest, find_faults
from trainer.promotion.models import ModelsDirectory
from trainer.terminal import clips_bar

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PromoteRequest:
    """The options of `trainer promote`; see `GateRequest`."""

    candidate: Path
    models: Path
    store: Path | None = None
    false_alarms_per_day: float | None = None
    most_loss: float = 1.0
    noise_labels: frozenset[str] = frozenset()
    without_holdout: bool = False
    required_labels: frozenset[str] = frozenset()


def promote(request: PromoteRequest) -> Bundle:
    """Check the candidate, copy it and swap the link.

    Raises:
        PromotionError: the gate refuses it, for reasons that are logged, or its name is taken.
        BundleError: the candidate or the bundle in use cannot be used.
        DataError: the store cannot be read.
        TargetError: the directory cannot be written.
    """
    models, candidate = ModelsDirectory(request.models), read_bundle(request.candidate.resolve())
    current = models.current()
    gate = GateRequest(
        candidate,
        current,
        request.store,
        request.false_alarms_per_day or budget_of(candidate),
        request.most_loss,
        request.noise_labels,
        request.without_holdout,
        request.required_labels,
    )
    with clips_bar() as report:
        faults = find_faults(gate, report(f"checking {candidate.id}"))
    for fault in faults:
        log.error("refused: %s", fault)
    if faults:
        raise PromotionError(f"{candidate.path}: {candidate.id} stays out, reasons: {len(faults)}")
    try:
        promoted = models.promote(candidate)
    except OSError as error:
        raise _cannot_write(request.models, error) from error
    log.info("%s is in use, before it %s", promoted.id, "none" if current is None else current.id)
    return promoted


def roll_back(models: Path) -> Bundle:
    """Use the bundle before the one in use again.

    Raises:
        PromotionError: there is none.
        BundleError: it can no longer be used.
        TargetError: the directory cannot be written.
    """
    try:
        bundle = ModelsDirectory(models).roll_back()
    except OSError as error:
        raise _cannot_write(models, error) from error
    log.info("%s is in use again", bundle.id)
    return bundle


def _cannot_write(models: Path, error: OSError) -> TargetError:
    return TargetError(f"{models}: cannot be written: {error.strerror}; what is in use stays")

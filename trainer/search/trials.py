"""Trial slots, by which independent processes end with exactly so many finished trials.

A study of N trials has the slots 0 to N-1, and each needs one finished trial. Every trial names its slot.
A storage numbers trials one after another, so all processes agree which of two trials came first: of the
trials in one slot, only the first that has not failed counts.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState

# Attributes of a trial in the storage; studies of earlier versions have these names.
SLOT = "place"
WORKER = "worker"  # host and process, once it has started
HEARTBEAT = "beat"  # a number that grows while the trial's process lives
DIVERGED = "astray"  # why its training failed

_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)

Params = Mapping[str, Any]  # the name of a parameter -> its value, as Optuna keeps them


def finished(trials: Sequence[FrozenTrial], count: int) -> list[FrozenTrial]:
    """The trials in the first `count` slots that are complete or pruned."""
    return [t for t in trials if t.state in _FINISHED and t.user_attrs[SLOT] < count]


def has_waiting(trials: Sequence[FrozenTrial], count: int) -> bool:
    """Whether one of the first `count` slots has a trial that waits for a worker."""
    return any(t.state == TrialState.WAITING and t.user_attrs[SLOT] < count for t in trials)


def first_open_slot(trials: Sequence[FrozenTrial], count: int) -> int | None:
    """The first slot without a trial, or with failed ones only; None if there is none."""
    filled = {t.user_attrs.get(SLOT) for t in trials if t.state != TrialState.FAIL}
    return next((slot for slot in range(count) if slot not in filled), None)


def is_surplus(number: int, trials: Sequence[FrozenTrial]) -> bool:
    """Whether the trial of this number has no slot, or an earlier one fills its slot."""
    slot = next(t for t in trials if t.number == number).user_attrs.get(SLOT)
    earlier = [t for t in trials if t.number < number and t.user_attrs.get(SLOT) == slot]
    return slot is None or any(t.state != TrialState.FAIL for t in earlier)


def params_to_resume(trials: Sequence[FrozenTrial], slot: int) -> Params | None:
    """The parameters of the last trial in the slot that was started; None if none was."""
    started = [t for t in trials if t.user_attrs.get(SLOT) == slot and WORKER in t.user_attrs]
    return started[-1].params if started else None

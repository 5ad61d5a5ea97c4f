"""Places: how processes that know nothing of each other end with exactly so many finished trials.

A study of N trials has the places 0 to N-1, each of which wants one finished trial. Every trial says
which place it is for. A storage numbers trials one after another, so all processes agree which of two
trials came first: of those for one place, only the first that has not failed counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState

PLACE = "place"  # the attribute of a trial that says which place it is for
WORKER = "worker"  # that of a trial that was begun: host and process


Params = Mapping[str, Any]  # the name of a parameter -> its value, as Optuna keeps them

_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


def finished(trials: Sequence[FrozenTrial], count: int) -> list[FrozenTrial]:
    """The trials that came to their end, complete or pruned, in the first `count` places."""
    return [t for t in trials if t.state in _FINISHED and t.user_attrs[PLACE] < count]


def waiting(trials: Sequence[FrozenTrial], count: int) -> bool:
    """Whether a trial in one of the first `count` places only has to be taken up."""
    return any(t.state == TrialState.WAITING and t.user_attrs[PLACE] < count for t in trials)


def first_open(trials: Sequence[FrozenTrial], count: int) -> int | None:
    """The first place for which nothing was done, or only trials that failed; None if there is none."""
    taken = {t.user_attrs.get(PLACE) for t in trials if t.state != TrialState.FAIL}
    return next((place for place in range(count) if place not in taken), None)


def is_surplus(number: int, trials: Sequence[FrozenTrial]) -> bool:
    """Whether the trial of this number has no place, or another one has its place."""
    mine = next(t for t in trials if t.number == number)
    if PLACE not in mine.user_attrs:
        return True
    rivals = [t for t in trials if t.user_attrs.get(PLACE) == mine.user_attrs[PLACE]]
    return any(t.number < number and t.state != TrialState.FAIL for t in rivals)


def params_to_resume(trials: Sequence[FrozenTrial], place: int) -> Params | None:
    """Those of the last trial for the place that was begun; None if none was."""
    begun = [t for t in trials if t.user_attrs.get(PLACE) == place and WORKER in t.user_attrs]
    return begun[-1].params if begun else None

"""Signs of life of a running trial, for whoever shares the study.

Optuna has them for databases alone; these are an attribute of the trial, in any storage.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

BEAT = "beat"  # the attribute of a running trial that grows while its process lives
_BEATS_IN_A_GRACE = 6

log = logging.getLogger(__name__)


@contextmanager
def beating(trial: optuna.Trial, grace_seconds: float) -> Iterator[None]:
    """The trial shows signs of life, several in each grace, while the block runs."""
    over = Event()
    every = grace_seconds / _BEATS_IN_A_GRACE
    thread = Thread(target=_beat, args=(trial, every, over), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _beat(trial: optuna.Trial, every_seconds: float, over: Event) -> None:
    for count in itertools.count(1):
        try:
            trial.set_user_attr(BEAT, count)
        except UpdateFinishedTrialError:
            return  # somebody took us for dead; the trial's next report finds it out
        except StorageInternalError as error:
            log.warning("trial %d: no sign of life could be left: %s", trial.number, error)
        if over.wait(every_seconds):
            return


@dataclass(frozen=True, slots=True)
class _Seen:
    """A beat, and when it was first seen, s."""

    beat: int | None
    since: float


class Watch:
    """Tells which running trials have shown no sign of life for longer than the grace.

    Time is that of the one who looks: machines that share a study need not agree on it.
    """

    def __init__(self, grace_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._grace, self._clock = grace_seconds, clock
        self._seen: dict[int, _Seen] = {}

    def silent(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """Look at all trials of the study; those whose process is taken for dead."""
        now = self._clock()
        running = [trial for trial in trials if trial.state == TrialState.RUNNING]
        self._seen = {trial.number: self._look(trial, now) for trial in running}
        return [t for t in running if now - self._seen[t.number].since > self._grace]

    def _look(self, trial: FrozenTrial, now: float) -> _Seen:
        beat = trial.user_attrs.get(BEAT)
        seen = self._seen.get(trial.number)
        return seen if seen is not None and seen.beat == beat else _Seen(beat, now)

"""What `listener bench` tries: engines and batch sizes in turn, then a longer patch hop with the best."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from listener.capacity import Load
from listener.config.engine import EngineKind

ROUNDS = 3  # of each; their medians count
_BATCHES = (1, 4, 16)  # LiteRT prepares powers of 4
_ALIKE = 1.05  # speeds that differ by less are noise
_HEADROOM = (
    0.7  # of what the machine can do; the rest is for bursts, the broker, clips and other programs
)


@dataclass(frozen=True, slots=True)
class Setup:
    """The settings that bench chooses between."""

    engine: EngineKind
    max_batch: int
    patch_hop_seconds: float


@dataclass(frozen=True, slots=True)
class Trial:
    """Medians of a setup: sources at the speed of time, core-milliseconds a second of audio of one."""

    setup: Setup
    sources: float
    core_ms_per_second: float


@dataclass(frozen=True, slots=True)
class Advice:
    """The setup to use, and how many sources it carries with room to spare."""

    setup: Setup
    sources: int

    def carries(self, wanted: int | None) -> bool:
        """Whether so many are not too many; None are wanted in particular."""
        return wanted is None or self.sources >= wanted


Measure = Callable[[Setup], Load]


def batch_sizes(sources: int) -> tuple[int, ...]:
    """Those worth a try: a batch never has more patches than there are sources."""
    return tuple(size for size in _BATCHES if size <= sources)


def run_trials(setups: Sequence[Setup], measure: Measure) -> list[Trial]:
    """Every setup ROUNDS times in turn, so that a drift of the machine meets them all."""
    loads: dict[Setup, list[Load]] = {setup: [] for setup in setups}
    for _ in range(ROUNDS):
        for setup in setups:
            loads[setup].append(measure(setup))
    return [_trial(setup, each) for setup, each in loads.items()]


def _trial(setup: Setup, loads: Sequence[Load]) -> Trial:
    return Trial(
        setup,
        statistics.median(load.sources for load in loads),
        statistics.median(load.core_ms_per_second for load in loads),
    )


def best_of(trials: Sequence[Trial]) -> Trial:
    """The first that is as fast as the fastest, or nearly so."""
    most = max(trial.sources for trial in trials)
    return next(trial for trial in trials if trial.sources * _ALIKE >= most)


def longer_hop(setup: Setup, patch_seconds: float) -> Setup | None:
    """The setup with twice the patch hop; None where sound would fall between patches."""
    hop_seconds = 2 * setup.patch_hop_seconds
    return replace(setup, patch_hop_seconds=hop_seconds) if hop_seconds <= patch_seconds else None


def advise(trials: Sequence[Trial], wanted: int | None) -> Advice:
    """The best at the first trial's hop, unless only another hop carries what is wanted."""
    by_hop: Mapping[float, list[Trial]] = {
        hop: [trial for trial in trials if trial.setup.patch_hop_seconds == hop]
        for hop in sorted({trial.setup.patch_hop_seconds for trial in trials})
    }
    advices = [_advice(best_of(each)) for each in by_hop.values()]
    enough = [advice for advice in advices if advice.carries(wanted)]
    return enough[0] if enough else advices[-1]


def _advice(trial: Trial) -> Advice:
    return Advice(trial.setup, int(_HEADROOM * trial.sources))

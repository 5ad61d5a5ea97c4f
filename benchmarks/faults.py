"""Seconds of broker kills, cuts, swallowed acknowledgements and black holes: what is lost, seed by seed.

`python -m benchmarks.faults [SECONDS] [SEEDS]`; exits with 1 if the outbox lost an event or its order.
Beside it paho alone publishes the same through the same faults.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.faults.storm import Outcome, storm

_SETTLE_SECONDS = 60.0


def main(seconds: float = 20.0, seeds: int = 5) -> int:
    """Print a line a seed; the exit code."""
    print(
        "| seed | events | station: lost, out of order, again | settled | paho: lost, out of order |"
    )
    print("|---|---|---|---|---|")
    outcomes = [_run(seed, seconds) for seed in range(1, seeds + 1)]
    return int(any(outcome.lost or outcome.out_of_order for outcome in outcomes))


def _run(seed: int, seconds: float) -> Outcome:
    with tempfile.TemporaryDirectory() as directory, storm(Path(directory)) as parts:
        made = parts.blow(seed, seconds)
        ended_at = time.monotonic()
        station, paho = parts.settle(made, _SETTLE_SECONDS)
        settled_seconds = time.monotonic() - ended_at
    again = len(station.received) - len(station.first)
    print(
        f"| {seed} | {made} | {station.lost}, {station.out_of_order}, {again} "
        f"| {settled_seconds:.1f} s | {paho.lost}, {paho.out_of_order} |",
        flush=True,
    )
    return station


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(main(*(float(given[0]), int(given[1])) if len(given) == 2 else ()))

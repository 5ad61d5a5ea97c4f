"""What bench tries and what it makes of it, by arithmetic."""

from __future__ import annotations

import pytest

from listener.capacity import Load
from listener.commands.bench_trials import (
    Advice,
    Setup,
    Trial,
    advise,
    batch_sizes,
    best_of,
    longer_hop,
    run_trials,
)

LITERT, OPENVINO = Setup("litert", 16, 0.48), Setup("openvino", 16, 0.48)
LONGER = Setup("openvino", 16, 0.96)


@pytest.mark.parametrize(
    ("sources", "sizes"), [(1, (1,)), (3, (1,)), (4, (1, 4)), (300, (1, 4, 16))]
)
def test_no_batch_is_larger_than_the_number_of_sources(sources: int, sizes: tuple[int, ...]):
    assert batch_sizes(sources) == sizes


def test_setups_take_turns_and_their_medians_count():
    asked: list[Setup] = []
    seconds = iter([1.0, 2.0, 4.0, 3.0, 2.0, 100.0])

    def measure(setup: Setup) -> Load:
        asked.append(setup)
        return Load(120.0, next(seconds), 0.24)

    trials = run_trials([LITERT, OPENVINO], measure)
    assert asked == [LITERT, OPENVINO] * 3
    assert trials == [Trial(LITERT, 60.0, 2.0), Trial(OPENVINO, 40.0, 2.0)]


@pytest.mark.parametrize(("first", "best"), [(96.0, LITERT), (90.0, OPENVINO)])
def test_the_first_of_those_that_are_alike_is_the_best(first: float, best: Setup):
    assert best_of([Trial(LITERT, first, 1.0), Trial(OPENVINO, 100.0, 1.0)]).setup == best


def test_a_longer_hop_is_twice_the_hop_up_to_a_patch():
    assert longer_hop(OPENVINO, 0.96) == LONGER
    assert longer_hop(LONGER, 0.96) is None


TRIALS = [Trial(LITERT, 60.0, 2.0), Trial(OPENVINO, 100.0, 1.0), Trial(LONGER, 200.0, 0.5)]


@pytest.mark.parametrize(
    ("wanted", "advice", "carried"),
    [
        (None, Advice(OPENVINO, 70), True),  # seven tenths of what it can do
        (70, Advice(OPENVINO, 70), True),
        (71, Advice(LONGER, 140), True),
        (140, Advice(LONGER, 140), True),
        (141, Advice(LONGER, 140), False),
    ],
)
def test_the_hop_stays_unless_too_many_are_wanted(
    wanted: int | None, advice: Advice, carried: bool
):
    assert advise(TRIALS, wanted) == advice
    assert advice.carries(wanted) is carried

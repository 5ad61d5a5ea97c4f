"""Events while the clock is set: what was told stays true, what was not is told on the new clock."""

from __future__ import annotations

from dataclasses import replace

import pytest

from listener.detection.policy import LabelPolicy
from tests.listener.detection.test_hysteresis import PLAIN, column, make_detector, slots


def events_over_a_step(
    before: str, after: str, step: float, policy: LabelPolicy = PLAIN
) -> list[tuple[str, float, float | None]]:
    """Id, onset and offset of all that is told where the clock steps after the slots `before`."""
    detector = make_detector(policy)
    rows = slots(column(before + after))
    events = [event for row in rows[: len(before)] for event in detector.push(row)]
    detector.shift(step)
    for row in rows[len(before) :]:
        events += detector.push(replace(row, onset=row.onset + step, offset=row.offset + step))
    events += detector.finish(len(rows) + step, "end_of_stream")
    return [(event.id, event.onset, event.offset) for event in events]


@pytest.mark.parametrize("step", [3600.0, -7200.0])
@pytest.mark.parametrize("after", ["99900", "999"])
def test_an_event_open_over_a_step_of_the_clock_keeps_onset_id_and_duration(after, step):
    (first_id, onset, _), (last_id, same_onset, offset) = events_over_a_step("099", after, step)
    assert (onset, same_onset, offset) == (1.0, 1.0, 6.0)
    assert first_id == last_id


@pytest.mark.parametrize("step", [3600.0, -7200.0])
def test_an_event_not_told_before_the_step_is_told_on_the_new_clock(step):
    told = events_over_a_step("099", "9900", step, replace(PLAIN, min_duration_seconds=3.0))
    assert [(onset - step, offset and offset - step) for _, onset, offset in told] == [
        (1.0, None),
        (1.0, 5.0),
    ]


@pytest.mark.parametrize("step", [3600.0, -7200.0])
def test_slots_that_wait_for_their_median_step_with_the_clock(step):
    """The smoothed score of slot 1, the first of the event, is known only after slot 2."""
    told = events_over_a_step("09", "9900", step, replace(PLAIN, smoothing_seconds=3.0))
    assert [(onset - step, offset and offset - step) for _, onset, offset in told] == [
        (1.0, None),
        (1.0, 4.0),
    ]


@pytest.mark.parametrize("step", [3600.0, -7200.0])
def test_a_refractory_time_steps_with_the_clock(step):
    told = events_over_a_step("0990", "0990990", step, replace(PLAIN, refractory_seconds=4.0))
    ended = [onset for _, onset, offset in told if offset is not None]
    assert ended == [1.0, 8.0 + step]

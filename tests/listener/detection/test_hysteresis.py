"""From scores to events: by hand, against a slow reference, live and offline alike."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from listener.detection.event import SoundEvent, event_id
from listener.detection.hysteresis import EventDetector, detect_events
from listener.detection.policy import LabelPolicy
from listener.detection.scores import PatchScores

HOP_SECONDS = 1.0  # slot k is [k, k + 1)


PLAIN = LabelPolicy(on_threshold=0.5, off_threshold=0.3, smoothing_seconds=0.0)

Spans = list[tuple[float, float]]


def column(digits: str) -> NDArray[np.float32]:
    """Scores in tenths, one digit a slot: "059" is 0.0, 0.5, 0.9."""
    return np.array([[int(digit) / 10] for digit in digits], np.float32).reshape(-1, 1)


def slots(scores: NDArray[np.float32]) -> list[PatchScores]:
    return [PatchScores("hall", k, k + 1.0, row, None, -40.0 + k) for k, row in enumerate(scores)]


def make_detector(policy: LabelPolicy = PLAIN, **changes: float) -> EventDetector:
    return EventDetector("hall", {"dog": replace(policy, **changes)}, HOP_SECONDS)


def find_spans(digits: str, **changes: float) -> Spans:
    scores = column(digits)
    boundaries = np.arange(len(scores) + 1, dtype=np.float64)
    events = detect_events(scores, boundaries, {"dog": replace(PLAIN, **changes)}, HOP_SECONDS)
    return [(event.onset, event.offset or -1.0) for event in events]


def feed(detector: EventDetector, digits: str) -> list[SoundEvent]:
    return [event for slot in slots(column(digits)) for event in detector.push(slot)]


def adjusted(before: str, after: str, policy: LabelPolicy, *, muted: bool = False) -> Spans:
    """Ended events where thresholds change after the slots `before`."""
    detector = make_detector()
    rows = slots(column(before + after))
    events = [event for row in rows[: len(before)] for event in detector.push(row)]
    detector.adjust({"dog": policy}, {"dog"} if muted else ())
    events += [event for row in rows[len(before) :] for event in detector.push(row)]
    events += detector.finish(float(len(rows)), "end_of_stream")
    return [(event.onset, event.offset) for event in events if event.offset is not None]


@pytest.mark.parametrize(
    ("on", "off", "spans"),
    [
        (0.5, 0.3, [(1, 5)]),  # no change: what is open goes on
        (0.9, 0.7, [(1, 3)]),  # 0.6 is under the new off
        (0.9, 0.6, [(1, 5)]),
        (0.2, 0.1, [(1, 6)]),
    ],
)
def test_other_thresholds_count_from_the_next_slot_on(on: float, off: float, spans: Spans):
    policy = replace(PLAIN, on_threshold=on, off_threshold=off)
    assert adjusted("066", "662", policy) == spans


def test_a_muted_label_ends_and_begins_nothing_at_any_score():
    assert adjusted("099", "9099", PLAIN, muted=True) == [(1, 3)]


def test_a_sound_that_goes_on_after_a_mute_is_a_new_event():
    detector = make_detector()
    rows = slots(column("9999"))
    detector.adjust({"dog": PLAIN}, {"dog"})
    assert [detector.push(row) for row in rows[:2]] == [[], []]
    detector.adjust({"dog": PLAIN})
    ((begun,), _) = [detector.push(row) for row in rows[2:]]
    assert (begun.onset, begun.offset) == (2.0, None)


@pytest.mark.parametrize(
    ("digits", "spans"),
    [
        ("", []),
        ("0000", []),
        ("0404", []),  # never up to on_threshold
        ("0900", [(1, 2)]),
        ("0500", [(1, 2)]),  # equal to on is on
        ("0933", [(1, 4)]),  # equal to off stays on
        ("0932", [(1, 3)]),
        ("0939", [(1, 4)]),  # between the thresholds it stays what it was
        ("3390", [(2, 3)]),  # and before on_threshold it is no event
        ("9000", [(0, 1)]),
        ("0009", [(3, 4)]),
        ("9999", [(0, 4)]),
        ("9090", [(0, 1), (2, 3)]),
    ],
)
def test_on_threshold_opens_and_off_threshold_closes(digits: str, spans: Spans):
    assert find_spans(digits) == spans


@pytest.mark.parametrize(
    ("digits", "least", "spans"),
    [
        ("0990", 2.0, [(1, 3)]),
        ("0990", 2.1, []),
        ("09099", 2.0, [(3, 5)]),
        ("9", 1.0, [(0, 1)]),
    ],
)
def test_shorter_than_the_minimum_is_no_event(digits: str, least: float, spans: Spans):
    assert find_spans(digits, min_duration_seconds=least) == spans


@pytest.mark.parametrize(
    ("digits", "gap", "spans"),
    [
        ("9090", 1.0, [(0, 3)]),
        ("9009", 1.0, [(0, 1), (3, 4)]),
        ("9009", 2.0, [(0, 4)]),
        ("9000", 2.0, [(0, 1)]),  # a gap that nothing ends is not part of the event
        ("9040", 1.0, [(0, 1)]),  # what ends a gap is up to on again
        ("90909", 1.0, [(0, 5)]),
    ],
)
def test_a_short_gap_does_not_part_events(digits: str, gap: float, spans: Spans):
    assert find_spans(digits, max_gap_seconds=gap) == spans


@pytest.mark.parametrize(
    ("digits", "refractory", "spans"),
    [
        ("9090", 1.0, [(0, 1), (2, 3)]),
        ("9090", 1.5, [(0, 1)]),
        ("909999", 2.0, [(0, 1), (3, 6)]),  # what goes on after that time is a new event
        ("90990", 10.0, [(0, 1)]),
    ],
)
def test_no_event_begins_in_the_refractory_time(digits: str, refractory: float, spans: Spans):
    assert find_spans(digits, refractory_seconds=refractory) == spans


def test_what_was_no_event_has_no_refractory_time():
    policy = {"min_duration_seconds": 2.0, "refractory_seconds": 5.0}
    assert find_spans("090990990", **policy) == [(3, 5)]


def test_gaps_are_bridged_before_the_duration_is_measured():
    assert find_spans("9090", min_duration_seconds=3.0, max_gap_seconds=1.0) == [(0, 3)]


def test_smoothing_in_seconds_is_a_centred_median():
    assert find_spans("00900099900", smoothing_seconds=3.0) == [(6, 9)]
    assert find_spans("099099", smoothing_seconds=3.0) == [(1, 6)]  # the last 9 has one neighbour


def test_each_label_has_its_own_smoothing():
    scores = np.hstack([column("09000990"), column("09000990")])
    policies = {"dog": PLAIN, "cat": replace(PLAIN, smoothing_seconds=3.0)}
    events = detect_events(scores, np.arange(9.0), policies, HOP_SECONDS)
    spans = [(event.label, event.onset, event.offset) for event in events]
    assert spans == [("dog", 1, 2), ("cat", 5, 7), ("dog", 5, 7)]


def test_scores_of_the_event_are_the_models_and_not_the_smoothed():
    events = feed(make_detector(smoothing_seconds=3.0), "05894000")
    begun, ended = events  # smoothed: 0 5 8 8 4 0 0 0
    assert begun.offset is None
    assert begun.peak_score == pytest.approx(0.5)
    assert (ended.onset, ended.offset) == (1, 5)
    assert ended.peak_score == pytest.approx(0.9)
    assert ended.mean_score == pytest.approx((0.5 + 0.8 + 0.9 + 0.4) / 4)


def test_the_mean_leaves_the_gap_out_and_the_level_is_that_of_the_loudest_slot():
    events = feed(make_detector(max_gap_seconds=1.0), "0804000")
    ended = events[-1]
    assert (ended.onset, ended.offset) == (1, 2)
    assert ended.mean_score == pytest.approx(0.8)
    assert ended.level_dbfs == -39.0
    bridged = feed(make_detector(max_gap_seconds=1.0), "0806000")[-1]
    assert bridged.offset == 4
    assert bridged.mean_score == pytest.approx(0.7)
    assert bridged.level_dbfs == -37.0


def test_start_and_end_carry_the_same_id_made_of_what_the_event_is():
    detector = EventDetector("hall", {"dog": PLAIN}, HOP_SECONDS, bundle="b@1", namespace="farm")
    begun, ended = feed(detector, "090")
    assert begun.id == ended.id == event_id("farm", "hall", "dog", 1.0)
    assert begun.onset == 1.0
    assert (ended.source, ended.label, ended.bundle) == ("hall", "dog", "b@1")


def test_an_event_is_announced_when_it_is_long_enough():
    detector = make_detector(min_duration_seconds=2.0)
    rows = slots(column("0990"))
    pushed = [detector.push(row) for row in rows]
    assert [len(events) for events in pushed] == [0, 0, 1, 1]
    assert pushed[2][0].onset == 1


def test_what_is_active_at_the_end_ends_there_for_that_reason():
    detector = make_detector()
    feed(detector, "099")
    ended = detector.finish(3.4, "source_lost")
    assert [(e.onset, e.offset, e.reason) for e in ended] == [(1, 3.4, "source_lost")]
    assert detector.finish(3.4, "source_lost") == []


def test_what_had_ended_before_the_end_has_no_reason():
    detector = make_detector(max_gap_seconds=5.0)
    feed(detector, "0990")
    ended = detector.finish(4.0, "source_lost")
    assert [(e.onset, e.offset, e.reason) for e in ended] == [(1, 3, None)]


def test_an_event_that_is_long_enough_only_at_the_end_has_both_messages():
    detector = make_detector(min_duration_seconds=1.5)
    assert feed(detector, "009") == []
    begun, ended = detector.finish(3.5, "shutdown")
    assert (begun.offset, begun.reason) == (None, None)
    assert (ended.onset, ended.offset, ended.reason) == (2, 3.5, "shutdown")
    assert begun.id == ended.id


def test_an_event_that_is_too_short_at_the_end_has_none():
    detector = make_detector(min_duration_seconds=2.0)
    feed(detector, "009")
    assert detector.finish(3.5, "shutdown") == []


def test_rows_that_wait_in_the_smoother_are_judged_at_the_end():
    detector = make_detector(smoothing_seconds=3.0)
    assert feed(detector, "09") == []
    begun, ended = (feed(detector, "9"), detector.finish(3.0, "end_of_stream"))
    assert [event.onset for event in begun] == [1]
    assert [(event.onset, event.offset) for event in ended] == [(1, 3.0)]


def test_after_a_hole_all_starts_over_but_the_refractory_time():
    detector = make_detector(refractory_seconds=3.0, max_gap_seconds=3.0)
    feed(detector, "99")
    detector.finish(2.0, "gap")
    nine = np.array([0.9], np.float32)
    later = [PatchScores("hall", at, at + 1.0, nine) for at in (3.0, 4.0, 5.0)]
    begun = [event.onset for slot in later for event in detector.push(slot)]
    assert begun == [5.0]


@pytest.mark.parametrize("refractory", [0.0, 3.0])
def test_after_a_clock_was_set_back_no_label_is_missed(refractory: float):
    detector = make_detector(refractory_seconds=refractory)
    nine = np.array([0.9], np.float32)
    detector.push(PatchScores("hall", 7_300.0, 7_301.0, nine))
    detector.finish(7_301.0, "source_lost")
    assert [e.onset for e in detector.push(PatchScores("hall", 100.0, 101.0, nine))] == [100.0]


def test_after_a_hole_an_event_may_begin_in_the_slot_before_it():
    """The last window before the hole ends after the first slot behind it begins."""
    detector = make_detector()
    nine = np.array([0.9], np.float32)
    detector.push(PatchScores("hall", 0.0, 1.0, nine))
    detector.finish(1.5, "gap")
    assert [e.onset for e in detector.push(PatchScores("hall", 1.4, 2.4, nine))] == [1.4]


def test_the_latest_smoothed_scores_can_be_read():
    detector = make_detector(smoothing_seconds=3.0)
    feed(detector, "0990")
    assert detector.smoothed.tolist() == [np.float32(0.9)]
    detector.finish(4.0, None)
    assert detector.smoothed.tolist() == [0.0]


def reference_spans(column_: NDArray[np.float32], bounds: Spans, policy: LabelPolicy) -> Spans:
    """Median, then one event after another, each searched for in the whole table."""
    half = policy.smoothing_patches(HOP_SECONDS) // 2
    padded = np.pad(column_, half)
    smoothed = [float(np.median(padded[k : k + 2 * half + 1])) for k in range(len(column_))]
    spans: Spans = []
    at, not_before = 0, -np.inf
    while (first := _next_on(smoothed, bounds, policy, at, not_before)) is not None:
        last = _run_end(smoothed, policy, first)
        while (again := _next_on(smoothed, bounds, policy, last + 1, -np.inf)) is not None:
            if bounds[again][0] - bounds[last][1] > policy.max_gap_seconds + 1e-9:
                break
            last = _run_end(smoothed, policy, again)
        onset, offset = bounds[first][0], bounds[last][1]
        if offset - onset >= policy.min_duration_seconds - 1e-9:
            spans.append((onset, offset))
            not_before = offset + policy.refractory_seconds - 1e-9
        at = last + 1
    return spans


def _next_on(
    smoothed: list[float], bounds: Spans, policy: LabelPolicy, at: int, not_before: float
) -> int | None:
    on = float(np.float32(policy.on_threshold))
    candidates = range(at, len(smoothed))
    return next((k for k in candidates if smoothed[k] >= on and bounds[k][0] >= not_before), None)


def _run_end(smoothed: list[float], policy: LabelPolicy, first: int) -> int:
    off = float(np.float32(policy.off_threshold))
    low = (k for k in range(first, len(smoothed)) if smoothed[k] < off)
    return next(low, len(smoothed)) - 1


tenths = st.integers(1, 10).map(lambda tenth: tenth / 10)
seconds = st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0, 4.5])
policies = st.builds(
    lambda thresholds, smoothing, least, gap, refractory: LabelPolicy(
        max(thresholds), min(thresholds), smoothing, least, gap, refractory
    ),
    st.tuples(tenths, tenths),
    st.sampled_from([0.0, 1.0, 3.0, 5.0, 7.0]),
    seconds,
    seconds,
    seconds,
)
tables = st.lists(st.integers(0, 10), max_size=40).map(
    lambda tens: (np.array(tens, np.float32) / np.float32(10))[:, None]
)


@settings(max_examples=400, deadline=None)
@given(tables, policies)
def test_events_are_those_of_a_slow_reference(scores: NDArray[np.float32], policy: LabelPolicy):
    boundaries = np.arange(len(scores) + 1, dtype=np.float64)
    bounds = [(float(k), float(k + 1)) for k in range(len(scores))]
    events = detect_events(scores, boundaries, {"dog": policy}, HOP_SECONDS)
    spans = [(event.onset, event.offset) for event in events]
    assert spans == reference_spans(scores[:, 0], bounds, policy)


@settings(max_examples=150, deadline=None)
@given(tables, tables, st.lists(policies, min_size=2, max_size=2), st.integers(0, 20))
def test_live_events_are_the_offline_ones(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    both: list[LabelPolicy],
    hundredths: int,
):
    """Also if audio goes on after the last slot: the end of the table is the end of the audio."""
    rows = min(len(first), len(second))
    scores = np.hstack([first[:rows], second[:rows]])
    end = rows + (hundredths / 100 if rows else 0.0)
    boundaries = np.append(np.arange(rows, dtype=np.float64), end)
    by_label = dict(zip(("dog", "cat"), both, strict=True))

    detector = EventDetector("hall", by_label, HOP_SECONDS)
    live = [event for slot in slots(scores) for event in detector.push(slot)]
    live += detector.finish(end, "end_of_stream")
    begun = {event.id: event for event in live if event.offset is None}
    ended = sorted((e for e in live if e.offset), key=lambda event: (event.onset, event.label))

    offline = detect_events(scores, boundaries, by_label, HOP_SECONDS, source="hall")
    assert [replace(event, level_dbfs=-np.inf) for event in ended] == offline
    assert sorted(begun) == sorted(event.id for event in ended)
    assert len(begun) == len(ended)


@settings(max_examples=150, deadline=None)
@given(tables, policies)
def test_events_of_a_label_are_in_order_long_enough_and_apart(
    scores: NDArray[np.float32], policy: LabelPolicy
):
    boundaries = np.arange(len(scores) + 1, dtype=np.float64)
    events = detect_events(scores, boundaries, {"dog": policy}, HOP_SECONDS)
    for before, after in pairwise(events):
        assert before.offset is not None
        assert after.onset >= before.offset + policy.refractory_seconds
        assert after.onset > before.offset + policy.max_gap_seconds
    for event in events:
        assert (event.seconds or 0.0) >= policy.min_duration_seconds
        assert 0.0 <= event.mean_score <= event.peak_score <= 1.0 + 1e-6


def events_over_a_step(
    before: str, after: str, step: float, policy: LabelPolicy = PLAIN
) -> list[tuple[str, float, float | None]]:
    """Id, onset and offset of all events if the clock steps after the slots `before`."""
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
def test_an_event_that_comes_out_after_the_step_has_the_new_clock(step):
    events = events_over_a_step("099", "9900", step, replace(PLAIN, min_duration_seconds=3.0))
    assert [(onset - step, offset and offset - step) for _, onset, offset in events] == [
        (1.0, None),
        (1.0, 5.0),
    ]


@pytest.mark.parametrize("step", [3600.0, -7200.0])
def test_slots_that_wait_for_their_median_step_with_the_clock(step):
    """The smoothed score of slot 1, the first of the event, is known only after slot 2."""
    events = events_over_a_step("09", "9900", step, replace(PLAIN, smoothing_seconds=3.0))
    assert [(onset - step, offset and offset - step) for _, onset, offset in events] == [
        (1.0, None),
        (1.0, 4.0),
    ]


@pytest.mark.parametrize("step", [3600.0, -7200.0])
def test_a_refractory_time_steps_with_the_clock(step):
    events = events_over_a_step("0990", "0990990", step, replace(PLAIN, refractory_seconds=4.0))
    ended = [onset for _, onset, offset in events if offset is not None]
    assert ended == [1.0, 8.0 + step]

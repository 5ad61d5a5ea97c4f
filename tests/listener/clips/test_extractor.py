"""Clips are cut where and when they should be, from exact samples, and never across a hole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random

import numpy as np
import pytest

from listener.clips.audio_buffer import BufferSlot
from listener.clips.extractor import (
    ClipExtractor,
    ExtractionPlan,
    HourlyLimit,
    RandomMoments,
    order_members,
)
from listener.detection.audio import AudioChunk, Samples
from listener.detection.bundle import Label
from listener.detection.clip import ClipDraft, GroupMembers, LabelSpan
from listener.detection.hysteresis import EventDetector
from listener.detection.labels import LabelGroup
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy
from listener.detection.scores import PatchScores, Scores

BEGAN = 1_000.0


# patches of a second with no overlap, on a grid of seconds: slots, patches and chunks are the same
PARAMS = FeatureParams(
    sample_rate_hz=1_000,
    stft_window_seconds=0.01,
    mel_max_hz=500.0,
    patch_seconds=1.0,
    patch_hop_seconds=1.0,
)
RATE = PARAMS.sample_rate_hz
POLICY = LabelPolicy(on_threshold=0.5, off_threshold=0.25, smoothing_seconds=0.0)
EVENTS_ONLY = {"near_misses_per_hour": 0.0, "ambient_per_hour": 0.0}


def waveform(start: int, count: int) -> Samples:
    """Sample k of the stream is k thousandths of a thousandth, so that each tells where it was."""
    return (np.arange(start, start + count) / 1e6).astype(np.float32)


class Stream:
    """A source whose every second has the scores that a test says, and its cutter."""

    def __init__(
        self,
        *,
        policies: Mapping[str, LabelPolicy] | None = None,
        labels: Iterable[str] | None = None,
        random: Random | None = None,
        groups: Sequence[LabelGroup] = (),
        **changes: float,
    ) -> None:
        self.policies = policies or {"dog": POLICY}
        kept = frozenset(self.policies if labels is None else labels)
        plan = ExtractionPlan(kept, **(EVENTS_ONLY | changes))
        self.extractor = ClipExtractor(
            "hall",
            self.policies,
            PARAMS,
            plan,
            random or Random(1),
            bundle="test@1",
            namespace="farm",
            groups=groups,
        )
        self.detector = EventDetector("hall", self.policies, 1.0, bundle="test@1", namespace="farm")
        self.drafts: list[ClipDraft] = []
        self.second = 0

    def push(
        self,
        *scores: float | tuple[float, ...],
        private: bool = False,
        members: tuple[float, ...] | None = None,
    ) -> Stream:
        """A second for each, with the score of each label, and of each member of the groups."""
        for score in scores:
            row = np.atleast_1d(np.array(score, np.float32))
            start, at = self.second * RATE, BEGAN + self.second
            self.extractor.push_audio(AudioChunk("hall", start, at, RATE, waveform(start, RATE)))
            slot = PatchScores("hall", at, at + 1.0, row, row[:1] * 10, -20.0, _array(members))
            events = self.detector.push(slot)
            smoothed = self.detector.smoothed
            self.drafts += self.extractor.push(slot, smoothed, events, private=private)
            self.second += 1
        return self

    def end(self, reason: str = "end_of_stream", skip: int = 0) -> Stream:
        """The stretch ends here, and the next begins so many seconds later."""
        events = self.detector.finish(BEGAN + self.second, reason)
        self.drafts += self.extractor.finish(events)
        self.second += skip
        return self

    def spans(self) -> list[tuple[str, float, float]]:
        """Reason, start and end of each draft, in seconds since the stream began."""
        records = [draft.record for draft in self.drafts]
        starts = [round(record.captured_at - BEGAN, 6) for record in records]
        return [
            (record.reason, start, round(start + record.seconds, 6))
            for record, start in zip(records, starts, strict=True)
        ]


def _array(members: tuple[float, ...] | None) -> Scores | None:
    return None if members is None else np.array(members, np.float32)


def assert_exact(draft: ClipDraft) -> None:
    """Its samples are those of its time."""
    start = round((draft.record.captured_at - BEGAN) * RATE)
    assert np.array_equal(draft.samples, waveform(start, len(draft.samples)))
    assert len(draft.samples) == round(draft.record.seconds * RATE)


def test_an_event_is_cut_with_what_was_before_and_after_it():
    stream = Stream().push(0, 0, 0, 0, 0.9, 0.8, 0)
    assert stream.drafts == []  # its post-roll is not whole yet
    stream.push(0)
    (draft,) = stream.drafts
    assert stream.spans() == [("event", 2.0, 8.0)]
    assert_exact(draft)
    record, event = draft.record, draft.record.event
    assert event is not None
    assert (event.onset, event.offset) == (BEGAN + 4, BEGAN + 6)
    assert record.id == event.id
    assert record.source == "hall"
    assert record.bundle == "test@1"
    (span,) = record.labels
    assert span == LabelSpan("dog", 2.0, 4.0)
    assert record.on_threshold == 0.5
    assert record.score == pytest.approx(0.9)


def test_a_cutting_has_the_scores_and_embeddings_of_its_slots():
    policies = {"dog": POLICY, "glass": POLICY}
    stream = Stream(policies=policies, labels=["dog"])
    stream.push((0, 0), (0, 0), (0, 0.125), (0.75, 0.125), (0, 0), (0, 0))
    (draft,) = stream.drafts
    analysis = draft.analysis
    assert analysis.labels == ("dog", "glass")
    assert analysis.boundaries == pytest.approx([0, 1, 2, 3, 4, 5])
    assert analysis.scores.tolist() == [[0, 0], [0, 0.125], [0.75, 0.125], [0, 0], [0, 0]]
    assert analysis.embeddings.tolist() == [[0], [0], [7.5], [0], [0]]
    assert [(top.label, top.score) for top in draft.record.top] == [
        ("dog", 0.75),
        ("glass", 0.125),
    ]


DOG = LabelGroup(Label("dog", "Dog"), ("bark", "howl"))
PETS = LabelGroup(Label("pets", "Pets"), ("cat", "bark", "howl"))


def test_a_clip_says_which_member_of_its_group_was_the_surest_while_it_sounded():
    """A howl before the bark was surer: so it is of the group that the clip does not stand for."""
    policies = {"dog": POLICY, "pets": POLICY}
    stream = Stream(policies=policies, labels=["dog"], groups=[DOG, PETS])
    stream.push((0, 0), (0, 0), members=(0, 0, 0, 0, 0))
    stream.push((0.4, 0.4), members=(0.1, 0.4, 0, 0.1, 0.4))
    stream.push((0.9, 0), members=(0.3, 0.2, 0, 0.3, 0.2))
    stream.push((0, 0), (0, 0), (0, 0), members=(0, 0, 0, 0, 0))
    (draft,) = stream.drafts
    assert draft.record.groups == (
        GroupMembers("dog", ("bark", "howl")),
        GroupMembers("pets", ("howl", "bark", "cat")),
    )


def test_a_snapshot_says_the_surest_members_of_all_that_was_heard():
    stream = Stream(policies={"dog": POLICY}, groups=[DOG])
    stream.push(0.2, members=(0.1, 0.2)).push(0.1, members=(0.1, 0.0))
    draft = stream.extractor.snapshot(2.0)
    assert draft is not None
    assert draft.record.groups == (GroupMembers("dog", ("howl", "bark")),)
    assert Stream().push(0.2).extractor.snapshot(1.0).record.groups == ()  # type: ignore[union-attr]


def test_of_a_long_event_the_first_part_is_kept_while_it_lasts():
    stream = Stream(max_seconds=6.0).push(0, 0, 0, *[0.9] * 7)
    assert stream.spans() == [("event", 1.0, 7.0)]
    assert_exact(stream.drafts[0])
    event = stream.drafts[0].record.event
    assert event is not None
    assert event.offset is None
    stream.push(0, 0, 0, 0).end()
    assert len(stream.drafts) == 1


def test_at_the_end_of_the_stream_there_is_no_post_roll_to_wait_for():
    stream = Stream().push(0, 0, 0, 0.9).end("source_lost")
    assert stream.spans() == [("event", 1.0, 4.0)]
    event = stream.drafts[0].record.event
    assert event is not None
    assert event.reason == "source_lost"


def test_no_clip_spans_a_hole():
    stream = Stream().push(0, 0.9).end("gap", skip=3).push(0, 0.9, 0, 0, 0)
    assert stream.spans() == [("event", 0.0, 2.0), ("event", 5.0, 9.0)]
    for draft in stream.drafts:
        assert_exact(draft)


def test_events_that_overlap_have_a_clip_each():
    stream = Stream(policies={"dog": POLICY, "glass": POLICY})
    stream.push((0, 0), (0, 0), (0.9, 0), (0.9, 0.8), (0, 0.8), (0, 0), (0, 0), (0, 0))
    assert stream.spans() == [("event", 0.0, 6.0), ("event", 1.0, 7.0)]
    assert [draft.record.label for draft in stream.drafts] == ["dog", "glass"]


def test_labels_that_are_not_kept_have_no_clip():
    stream = Stream(labels=[], near_misses_per_hour=60.0).push(0, 0, 0.9, 0, 0, 0, 0.4, 0, 0, 0)
    assert stream.end().drafts == []


def test_a_near_miss_is_cut_with_its_highest_score():
    stream = Stream(near_misses_per_hour=60.0).push(0, 0, 0, 0.3, 0.4, 0.1, 0)
    assert stream.spans() == [("near_miss", 1.0, 7.0)]
    record = stream.drafts[0].record
    assert record.event is None
    assert record.label == "dog"
    assert record.score == pytest.approx(0.4)
    assert (record.labels[0].onset, record.labels[0].offset) == (2.0, 4.0)
    assert_exact(stream.drafts[0])


def test_what_made_an_event_is_no_near_miss():
    stream = Stream(near_misses_per_hour=3600.0).push(0, 0, 0.3, 0.9, 0.3, 0, 0, 0, 0, 0)
    assert [reason for reason, _, _ in stream.spans()] == ["event"]


def test_near_misses_are_known_when_the_smoother_has_come_to_them():
    smooth = LabelPolicy(on_threshold=0.5, off_threshold=0.25, smoothing_seconds=3.0)
    stream = Stream(policies={"dog": smooth}, near_misses_per_hour=60.0)
    stream.push(0, 0, 0, 0.4, 0.3, 0.4, 0, 0, 0, 0)
    (span,) = stream.drafts[0].record.labels
    start = stream.drafts[0].record.captured_at - BEGAN
    # the median of three is over 0.25 in the seconds 3, 4 and 5
    assert (start + span.onset, start + span.offset) == pytest.approx((3.0, 6.0))


def test_near_misses_are_kept_at_the_rate_that_is_allowed():
    stream = Stream(near_misses_per_hour=360.0)  # one in 10 s
    stream.push(*[0, 0, 0.3, 0, 0] * 8)
    starts = [draft.record.captured_at for draft in stream.drafts]
    assert len(starts) == 4
    assert np.diff(starts).min() >= 10.0


def test_where_people_are_heard_nothing_is_kept_but_events():
    stream = Stream(near_misses_per_hour=60.0, ambient_per_hour=3600.0)
    stream.push(0, 0, 0, 0.4).push(0, private=True).push(0, 0, 0, 0, 0.9, 0, 0, 0)
    reasons = {draft.record.reason for draft in stream.drafts}
    private = BEGAN + 4
    for draft in stream.drafts:
        record = draft.record
        covers = record.captured_at < private + 1 and record.captured_at + record.seconds > private
        assert record.reason == "event" or not covers
    assert "event" in reasons
    assert "near_miss" not in reasons


def test_ambient_seconds_come_at_random_moments_one_in_each_period():
    stream = Stream(ambient_per_hour=120.0, random=Random(7)).push(*[0.0] * 300)
    starts = [draft.record.captured_at - BEGAN for draft in stream.drafts]
    assert [draft.record.seconds for draft in stream.drafts] == [5.0] * len(starts)
    assert [int(start // 30) for start in starts] == list(range(len(starts)))
    assert len(starts) >= 9
    again = Stream(ambient_per_hour=120.0, random=Random(7)).push(*[0.0] * 300)
    assert [c.record.captured_at - BEGAN for c in again.drafts] == starts


def test_ambient_seconds_hold_no_event():
    quiet = Stream(ambient_per_hour=720.0).push(*[0.0] * 100)
    assert len(quiet.drafts) >= 10
    loud = Stream(ambient_per_hour=720.0, labels=[]).push(*[0.9] * 100).end()
    assert loud.drafts == []
    mixed = Stream(ambient_per_hour=720.0, labels=[]).push(*[0.0, 0.0, 0.9] * 33)
    assert mixed.drafts == []


def test_a_snapshot_is_the_last_seconds_up_to_now():
    stream = Stream().push(*[0.0] * 8)
    draft = stream.extractor.snapshot(3.0)
    assert draft is not None
    assert draft.record.reason == "missed"
    assert draft.record.labels == ()
    assert (draft.record.captured_at, draft.record.seconds) == (BEGAN + 5, 3.0)
    assert_exact(draft)


def test_a_snapshot_is_no_longer_than_a_clip_may_be():
    draft = Stream(max_seconds=5.0).push(*[0.0] * 8).extractor.snapshot(60.0)
    assert draft is not None
    assert (draft.record.captured_at, draft.record.seconds) == (BEGAN + 3, 5.0)


def test_a_snapshot_of_nothing_is_none():
    stream = Stream()
    assert stream.extractor.snapshot(3.0) is None
    stream.push(0, 0).end("source_lost")
    assert stream.extractor.snapshot(3.0) is None


@pytest.mark.parametrize("seconds", [1, 12, 47])
def test_a_clip_does_not_depend_on_what_was_before(seconds: int):
    """The ring has turned over, or not."""
    stream = Stream(max_seconds=10.0).push(*[0.0] * seconds, 0.9, 0, 0, 0)
    (draft,) = stream.drafts
    assert stream.spans() == [("event", max(0.0, seconds - 2.0), seconds + 3.0)]
    assert_exact(draft)


def test_ids_are_the_same_for_the_same_sound_and_differ_between_clips():
    rooms = [Stream(near_misses_per_hour=3600.0) for _ in range(2)]
    for stream in rooms:
        stream.push(*[0, 0, 0, 0.3, 0, 0, 0, 0.9, 0, 0, 0] * 3)
    first, second = ([draft.record.id for draft in stream.drafts] for stream in rooms)
    assert first == second
    assert len(set(first)) == len(first) == 6


WATER = LabelGroup(Label("water", "Water"), ("rain", "tap", "sea"))
NOTHING = np.empty(0, np.float16)


def slot(second: int, *members: float) -> BufferSlot:
    values = np.array(members, np.float16)
    return BufferSlot(float(second), second + 1.0, NOTHING, NOTHING, values, private=False)


SLOTS = [slot(0, 0.1, 0.9, 0.1, 0.2, 0.3), slot(1, 0.5, 0.4, 0.1, 0.6, 0.3)]


def test_a_group_has_its_own_columns_and_the_highest_of_all_slots_counts():
    assert order_members([DOG, WATER], SLOTS, None) == (
        GroupMembers("dog", ("howl", "bark")),
        GroupMembers("water", ("tap", "sea", "rain")),
    )


def test_of_the_group_that_sounds_only_its_span_counts():
    """The middle of the first slot is not in it."""
    dog, water = order_members([DOG, WATER], SLOTS, LabelSpan("dog", 0.75, 2.0))
    assert dog.members == ("bark", "howl")
    assert water.members == ("tap", "sea", "rain")


def test_a_span_shorter_than_a_slot_falls_back_on_the_clip():
    (dog,) = order_members([DOG], [slot(0, 0.1, 0.9)], LabelSpan("dog", 0.75, 0.9))
    assert dog.members == ("howl", "bark")


def test_equal_scores_stay_in_the_order_of_the_config():
    (water,) = order_members([WATER], [slot(0, 0.5, 0.5, 0.5)], None)
    assert water.members == ("rain", "tap", "sea")


def test_nobody_can_say_without_slots_or_groups():
    assert order_members([DOG], [], None) == ()
    assert order_members([], SLOTS, None) == ()


def test_one_and_then_none_for_its_share_of_the_hour():
    limit = HourlyLimit(per_hour=6.0)  # one in 600 s
    taken = [at for at in range(0, 3_600, 50) if limit.allows(float(at))]
    assert taken == [0, 600, 1_200, 1_800, 2_400, 3_000]


def test_a_clock_that_was_set_back_does_not_end_it():
    limit = HourlyLimit(per_hour=6.0)
    assert limit.allows(10_000.0)
    assert limit.allows(100.0)
    assert not limit.allows(200.0)


def test_none_an_hour_is_none():
    assert not HourlyLimit(0.0).allows(0.0)
    assert not any(RandomMoments(0.0, Random(1)).passed(float(at)) for at in range(10_000))


@pytest.mark.parametrize("seed", range(5))
def test_one_moment_in_each_period(seed: int):
    moments = RandomMoments(per_hour=36.0, random=Random(seed))  # one in 100 s
    passed = [at for at in range(10_000) if moments.passed(float(at))]
    periods = [at // 100 for at in passed]
    # noticed up to a second late, which may be the next period's first
    assert len(passed) in (99, 100)
    assert all(periods.count(period) <= 2 for period in set(periods))
    within = [at % 100 for at in passed]
    assert min(within) < 10
    assert max(within) > 90


def test_moments_go_on_after_a_pause_and_when_a_clock_was_set():
    moments = RandomMoments(per_hour=36.0, random=Random(1))
    for begin in (0, 1_000_000, 500):
        assert any(moments.passed(float(begin + at)) for at in range(201))

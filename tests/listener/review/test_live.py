"""The live view keeps the newest for who is slow, and makes nothing while nobody looks on."""

import json

import numpy as np

from listener.detection.event import SoundEvent
from listener.review.live import KEPT_EVENTS, WAITING_LINES, LiveView, Timeline, pixels
from listener.sinks.sink import BundleNotice, EventNotice, Level, PatchNotice, SourceStatus
from tests.listener.review.rig import MANIFEST


def nothing() -> None:
    """Nobody waits."""


def make_view() -> tuple[LiveView, Timeline]:
    timeline = Timeline()
    return LiveView(["hall"], MANIFEST, timeline), timeline


def event(number: int, offset: float | None = None) -> EventNotice:
    sound = SoundEvent(
        f"{number:026d}", "hall", "dog", float(number), offset, 0.9, 0.8, -20.0, "test@1"
    )
    return EventNotice(sound, float(number), clip=None)


def test_patches_are_asked_for_only_while_somebody_looks_on():
    view, _ = make_view()
    assert PatchNotice not in view.accepts
    with view.watching(nothing):
        assert PatchNotice in view.accepts
    assert PatchNotice not in view.accepts
    assert Level not in view.accepts


def test_each_who_looks_on_gets_every_line_from_then_on():
    view, _ = make_view()
    woken: list[str] = []
    with view.watching(lambda: woken.append("first")) as first:
        view.handle(SourceStatus("hall", "online", 1.0))
        with view.watching(lambda: woken.append("second")) as second:
            view.handle(event(2))
            assert [json.loads(line)["kind"] for line in first.pop_lines()] == ["status", "event"]
            assert [json.loads(line)["kind"] for line in second.pop_lines()] == ["event"]
        assert first.pop_lines() == []
    assert woken == ["first", "first", "second"]


def test_who_is_slow_gets_the_newest():
    view, _ = make_view()
    with view.watching(nothing) as watcher:
        for number in range(WAITING_LINES + 5):
            view.handle(event(number))
        onsets = [json.loads(line)["onset"] for line in watcher.pop_lines()]
    assert onsets == [float(number) for number in range(5, WAITING_LINES + 5)]


def test_another_bundle_brings_other_names():
    view, _ = make_view()
    with view.watching(nothing) as watcher:
        view.handle(BundleNotice(MANIFEST, ("dog",), 1.0))
        said = [json.loads(line) for line in watcher.pop_lines()]
    assert said == [{"kind": "bundle", "labels": {"dog": "Dog", "glass": "Glass"}}]


def test_closed_it_ends_for_all_and_for_who_comes_later():
    view, _ = make_view()
    with view.watching(nothing) as watcher:
        view.close()
        assert watcher.ended
    with view.watching(nothing) as late:
        assert late.ended


def test_events_are_remembered_whether_or_not_somebody_looks_on():
    view, timeline = make_view()
    view.handle(event(1))
    view.handle(event(2))
    view.handle(event(1, offset=3.5))
    newest = timeline.newest(10)
    assert [(item["onset"], item["offset"]) for item in newest] == [(2.0, None), (1.0, 3.5)]


def test_the_timeline_forgets_the_oldest():
    view, timeline = make_view()
    for number in range(KEPT_EVENTS + 3):
        view.handle(event(number))
    items = timeline.newest(KEPT_EVENTS + 3)
    assert (len(items), items[-1]["onset"]) == (KEPT_EVENTS, 3.0)
    assert len(timeline.newest(7)) == 7


def test_pixels_are_bytes_from_silence_to_full_scale():
    """log(0.001) = -6.9 is 0, 3.1 and more is 255, the middle 127."""
    assert pixels(np.array([[-6.9, -1.9], [3.1, 9.0]], np.float32)) == "AH///w=="

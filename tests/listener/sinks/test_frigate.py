"""Events and levels as Frigate's audio topics."""

from __future__ import annotations

from listener.sinks.frigate import FrigateSink
from listener.sinks.sink import Level
from tests.listener.sinks.notices import RecordingPublisher, end_of, notice, start_of

ROOT = "frigate/hall/audio"


def make_sink() -> tuple[FrigateSink, RecordingPublisher]:
    publisher = RecordingPublisher()
    return FrigateSink(publisher, "frigate"), publisher


def published(publisher: RecordingPublisher) -> list[tuple[str, str]]:
    assert not any(message.retain for message in publisher.published)
    return [(message.topic, message.payload) for message in publisher.published]


def test_all_is_on_while_any_label_is():
    sink, publisher = make_sink()
    for event in (start_of(), start_of(label="dog"), end_of(), end_of(label="dog")):
        sink.handle(notice(event))
    assert published(publisher) == [
        (f"{ROOT}/smoke_alarm", "ON"),
        (f"{ROOT}/all", "ON"),
        (f"{ROOT}/dog", "ON"),
        (f"{ROOT}/smoke_alarm", "OFF"),
        (f"{ROOT}/dog", "OFF"),
        (f"{ROOT}/all", "OFF"),
    ]


def test_each_source_is_a_camera():
    sink, publisher = make_sink()
    sink.handle(notice(start_of(source="barn")))
    sink.handle(notice(end_of(source="hall")))  # of which no start was seen
    assert published(publisher) == [
        ("frigate/barn/audio/smoke_alarm", "ON"),
        ("frigate/barn/audio/all", "ON"),
        (f"{ROOT}/smoke_alarm", "OFF"),
    ]


def test_the_level_is_dbfs_and_the_rms_of_16_bits():
    sink, publisher = make_sink()
    sink.handle(Level("hall", -20.0, -3.0, 0.0))  # a tenth of 32768
    assert published(publisher) == [(f"{ROOT}/dBFS", "-20.0"), (f"{ROOT}/rms", "3276.8")]


def test_silence_has_a_floor_and_levels_an_interval():
    sink, publisher = make_sink()
    for at in (0.0, 0.5, 1.0):
        sink.handle(Level("hall", float("-inf"), -120.0, at))
    assert published(publisher) == [(f"{ROOT}/dBFS", "-120.0"), (f"{ROOT}/rms", "0.0")] * 2

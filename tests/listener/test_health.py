"""Heartbeats and readiness follow from plain numbers."""

from listener.health import STALLED_SECONDS, Health, Histogram


def make_health(**last_patch_at: float | None) -> Health:
    health = Health(("smoke_alarm",), "home-alarms@3")
    for name, at in last_patch_at.items():
        health.add_source(name).last_patch_at = at
    return health


def test_a_station_is_ready_when_every_source_analysed_a_patch_in_time() -> None:
    assert make_health(hall=90.0, barn=100.0).unready(10.0, now=100.0) == []


def test_each_late_source_has_its_line() -> None:
    health = make_health(hall=89.5, barn=None, shed=99.0)
    assert health.unready(10.0, now=100.0) == [
        "source hall: last patch analysed 10.5 s ago",
        "source barn: no patch analysed yet",
    ]


def test_a_source_that_has_ended_is_not_late() -> None:
    health = make_health(hall=0.0)
    health.sources["hall"].ended = True
    assert health.unready(10.0, now=100.0) == []


def test_a_clock_that_was_set_back_does_not_hide_a_lost_source() -> None:
    health = make_health(hall=7300.0)
    assert health.unready(10.0, now=100.0) == ["source hall: last patch analysed 7200.0 s ago"]


def test_a_silent_source_is_not_ready_and_a_clipping_one_is() -> None:
    health = make_health(hall=100.0, barn=100.0)
    health.sources["hall"].status, health.sources["barn"].status = "silent", "clipping"
    assert health.unready(10.0, now=100.0) == ["source hall: silent"]


def test_a_failed_engine_is_not_ready() -> None:
    health = make_health(hall=100.0)
    health.engine_failed = True
    assert health.unready(10.0, now=100.0) == ["engine: failed"]


def test_a_stage_without_a_beat_is_stalled() -> None:
    health = make_health()
    health.heartbeats |= {"inference": 100.0, "sink:mqtt": 101.0}
    assert health.stalled(now=100.0 + STALLED_SECONDS) == []
    assert health.stalled(now=100.5 + STALLED_SECONDS) == ["inference: stalled for 10.5 s"]


def test_stalls_may_count_from_a_shorter_time() -> None:
    health = make_health()
    health.heartbeats |= {"inference": 100.0}
    assert health.stalled(now=103.0, after_seconds=3.0) == []
    assert health.stalled(now=103.5, after_seconds=3.0) == ["inference: stalled for 3.5 s"]


def test_the_summary_counts_the_sources_that_are_up() -> None:
    health = make_health(hall=100.0, barn=None)
    health.sources["hall"].status = "online"
    assert health.summary() == "1 of 2 source(s) up, bundle home-alarms@3"


def test_a_stalled_stage_is_not_ready_either() -> None:
    health = make_health(hall=100.0)
    health.heartbeats["inference"] = float("-inf")
    assert health.unready(10.0, now=100.0) == ["inference: stalled for inf s"]


def test_a_beat_counts_from_now() -> None:
    health = make_health(hall=None)
    health.beat("inference")
    assert health.stalled() == []


def test_an_observation_counts_in_its_lowest_bucket() -> None:
    histogram = Histogram((1.0, 2.0))
    for number in (0.5, 1.0, 1.5, 2.5):
        histogram.observe(number)
    assert histogram.counts == [2, 1, 1]
    assert histogram.sum == 5.5

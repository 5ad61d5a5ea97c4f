"""What `listener watch` shows of a few polls whose numbers are known."""

import io
import time

import pytest
from rich.console import Console

from listener.commands.watch_screen import (
    KEPT_SCORES,
    SeenEvent,
    SourceView,
    WatchHistory,
    watch_picture,
)

BEGAN = time.mktime((2026, 11, 20, 3, 12, 7, 0, 0, -1))


def view(score: float, events: int, *, active: bool) -> SourceView:
    return SourceView(
        status="online",
        level_dbfs=-40.0,
        scores={"dog": score, "glass": 0.0},
        events={"dog": events, "glass": 0},
        active={"dog"} if active else set(),
    )


def seen(*polls: SourceView) -> WatchHistory:
    history = WatchHistory()
    for second, poll in enumerate(polls):
        history.add({"hall": poll}, BEGAN + second)
    return history


def lines(
    views: dict[str, SourceView], history: WatchHistory, *, width: int, height: int
) -> list[str]:
    file = io.StringIO()
    console = Console(file=file, width=width, height=height, _environ={})
    console.print(watch_picture(views, history, console))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_an_event_has_the_times_of_the_polls_and_its_highest_score():
    history = seen(
        view(0.1, 4, active=False),
        view(0.7, 5, active=True),
        view(0.9, 5, active=True),
        view(0.2, 5, active=False),
    )
    assert list(history.events) == [SeenEvent("hall", "dog", BEGAN + 1, 0.9, BEGAN + 3)]


def test_an_event_between_two_polls_is_seen_and_older_ones_are_not():
    history = seen(view(0.1, 4, active=False), view(0.3, 5, active=False))
    assert list(history.events) == [SeenEvent("hall", "dog", BEGAN + 1, 0.3, BEGAN + 1)]


def test_a_new_event_ends_the_one_before():
    history = seen(view(0.8, 1, active=True), view(0.7, 2, active=True))
    assert [event.ended_at for event in history.events] == [None, BEGAN + 1]


def test_a_station_that_was_restarted_counts_anew():
    history = seen(view(0.1, 4, active=False), view(0.1, 0, active=False))
    assert list(history.events) == []
    history.add({"hall": view(0.9, 1, active=False)}, BEGAN + 2)
    assert len(history.events) == 1


def test_level_scores_and_events_in_lines():
    last = view(1.0, 1, active=True)
    shown = lines({"hall": last}, seen(view(0.0, 0, active=False), last), width=60, height=30)
    # 60 columns: names of 7, numbers and gaps leave 35 cells; -40 dBFS is the middle of the bar
    assert shown[0].split() == ["hall", "█" * 18 + "·" * 17, "-40.0", "dBFS"]
    assert shown[1].split() == ["dog", "▁█", "1.00"]
    assert shown[2].split() == ["glass", "▁▁", "0.00"]
    assert shown[4:] == ["events", "03:12:08  hall  dog  now, peak 1.00"]


def test_a_source_that_gives_nothing_says_so():
    views = {"yard": SourceView(status="offline"), "barn": SourceView(status="silent")}
    shown = lines(views, WatchHistory(), width=60, height=30)
    assert shown[0].split() == ["yard", "offline", "-120.0", "dBFS"]
    assert shown[1].split() == ["barn", "silent", "-120.0", "dBFS"]


def test_a_label_that_was_high_lately_stays_above_one_that_is_a_little_higher_now():
    history = seen(view(0.9, 0, active=False))
    for second in range(1, KEPT_SCORES):
        history.add({"hall": SourceView(scores={"dog": 0.0, "glass": 0.1})}, BEGAN + second)
    assert history.top_labels("hall", 5) == ["dog", "glass"]
    history.add({"hall": SourceView(scores={"dog": 0.0, "glass": 0.1})}, BEGAN + KEPT_SCORES)
    assert history.top_labels("hall", 5) == ["glass", "dog"]


def test_scores_that_look_alike_do_not_change_places():
    history = WatchHistory()
    history.add({"hall": SourceView(scores={"dog": 0.001, "glass": 0.002})}, BEGAN)
    assert history.top_labels("hall", 5) == ["dog", "glass"]


def test_clipping_stands_where_the_number_was():
    views = {"hall": SourceView(status="clipping", level_dbfs=-1.0)}
    assert lines(views, WatchHistory(), width=60, height=30)[0].split()[-1] == "clipping"


@pytest.mark.parametrize("width", [32, 40, 200])
def test_no_line_is_wider_than_the_terminal(width: int):
    last = SourceView("online", -40.0, {"smoke_detector_smoke_alarm": 0.5})
    history = WatchHistory()
    for second in range(100):
        history.add({"kitchen": last}, BEGAN + second)
    shown = lines({"kitchen": last}, history, width=width, height=30)
    assert max(map(len, shown)) <= width
    assert "0.50" in shown[1]


@pytest.mark.parametrize(("height", "scores"), [(40, 5), (22, 2), (12, 0)])
def test_a_low_terminal_has_fewer_scores_and_all_sources(height: int, scores: int):
    some = SourceView("online", -40.0, {f"label_{number}": 0.5 for number in range(9)})
    views = {f"source_{number}": some for number in range(4)}
    history = WatchHistory()
    history.add(views, BEGAN)
    shown = lines(views, history, width=80, height=height)
    assert sum("label_" in line for line in shown) == 4 * scores
    assert sum("source_" in line for line in shown) == 4

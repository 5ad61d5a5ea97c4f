"""What a station is asked for after its window, and what makes a cost invalid."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from benchmarks.station import Station
from benchmarks.steady import Progress, Steady

METRICS = b"""\
# HELP listener_patches_total Patches, since the start.
listener_patches_total{source="s0"} 3.0
listener_patches_total{source="s1"} 4.0
listener_patches_total_of_another_kind 100.0
listener_queue_depth{stage="a 1",note="{}"} 2.0
listener_mqtt_connected 1.0
"""


class Metrics(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(METRICS)

    def log_message(self, *_):
        pass


@contextmanager
def station_that_answers() -> Iterator[Station]:
    with HTTPServer(("127.0.0.1", 0), Metrics) as server, subprocess.Popen(["true"]) as process:
        server.timeout = 20
        thread = Thread(target=server.handle_request)
        thread.start()
        yield Station(process, server.server_port, 0.0)
        thread.join()


def test_metrics_are_summed_over_their_labels_in_one_scrape():
    with station_that_answers() as station:
        sums = station.metrics(
            "listener_mqtt_connected",
            "listener_patches_total",
            "listener_queue_depth",
            "listener_unknown",
        )
    assert sums == [1.0, 7.0, 2.0, 0.0]


def steady(dropped: float, progress: Progress | None) -> Steady:
    return Steady(2.0, progress, dropped, batch_patches=8.0, rss_bytes=1, receipts=())


def test_a_cost_is_none_where_patches_were_dropped():
    steady(0.0, None).check_complete()
    with pytest.raises(RuntimeError, match="dropped 7 patches"):
        steady(7.0, None).check_complete()


@pytest.mark.parametrize(("due", "analysed"), [(10, 8), (10, 12), (100, 95), (100, 105), (1, 0)])
def test_the_ends_of_the_window_may_fall_between_two_patches(due: float, analysed: float):
    steady(0.0, Progress(due, analysed)).check_complete()


@pytest.mark.parametrize(("due", "analysed"), [(10, 7.9), (10, 12.1), (100, 94), (100, 106)])
def test_a_cost_is_none_of_a_station_that_falls_behind_or_catches_up(due: float, analysed: float):
    with pytest.raises(RuntimeError, match=f"expected {due}.0 patches of each source .* too busy"):
        steady(0.0, Progress(due, analysed)).check_complete()

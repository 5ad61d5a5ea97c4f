"""Series that a site's Prometheus keeps to itself are not counted."""

from __future__ import annotations

from benchmarks.fleet.series import count_sent


def test_scores_and_histograms_stay_at_the_site():
    kept = ["listener_source_up", "listener_events_total", "listener_inference_seconds_count", "up"]
    stay = [
        "listener_score",
        "listener_on_threshold",
        "listener_inference_seconds_bucket",
        "process_open_fds",
    ]
    assert count_sent([*kept, *stay]) == len(kept)

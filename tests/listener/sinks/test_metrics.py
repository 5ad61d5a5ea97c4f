"""Health as Prometheus metrics, parsed back by prometheus_client's own parser."""

import time

import numpy as np
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from listener import __version__
from listener.health import FALLBACK, Health, OutboxHealth, RemoteHealth, ServerHealth
from listener.sinks.metrics import metrics_registry

# name -> labels, as docs/monitoring.md lists them
METRICS: dict[str, set[str]] = {
    "listener_build_info": {"version", "python"},
    "listener_bundle_info": {"name", "version"},
    "listener_patches_total": {"source"},
    "listener_patches_dropped_total": {"source"},
    "listener_last_patch_timestamp_seconds": {"source"},
    "listener_source_up": {"source"},
    "listener_source_restarts_total": {"source"},
    "listener_source_overflows_total": {"source"},
    "listener_nonfinite_samples_total": {"source"},
    "listener_missing_samples_total": {"source"},
    "listener_source_status": {"source", "status"},
    "listener_level_dbfs": {"source"},
    "listener_source_bandwidth_hz": {"source"},
    "listener_on_threshold": {"source", "label"},
    "listener_score": {"source", "label"},
    "listener_events_total": {"source", "label"},
    "listener_event_active": {"source", "label"},
    "listener_inference_seconds_count": set(),
    "listener_inference_seconds_sum": set(),
    "listener_inference_seconds_bucket": {"le"},
    "listener_batch_patches_count": set(),
    "listener_batch_patches_sum": set(),
    "listener_batch_patches_bucket": {"le"},
    "listener_capture_to_publish_seconds_count": set(),
    "listener_capture_to_publish_seconds_sum": set(),
    "listener_capture_to_publish_seconds_bucket": {"le"},
    "listener_bundle_switches_total": {"result"},
    "listener_bundle_refused": set(),
    "listener_heartbeat_age_seconds": {"stage"},
    "listener_clips_stored": set(),
    "listener_clips_bytes": set(),
    "listener_clips_free_bytes": set(),
    "listener_clip_errors_total": set(),
    "listener_clock_steps_total": set(),
    "listener_commands_total": {"command", "result"},
    "listener_queue_depth": {"stage"},
    "listener_sink_dropped_total": {"sink"},
    "listener_sink_failures_total": {"sink"},
    "listener_faults_total": {"part"},
    "listener_source_faults_total": {"source"},
    "listener_mqtt_connected": set(),
    "listener_mqtt_dropped_total": {"reason"},
    "listener_mqtt_loop_errors_total": set(),
    "listener_mqtt_rivals_total": set(),
    "listener_outbox_events": set(),
    "listener_outbox_oldest_seconds": set(),
    "listener_outbox_unsaved": set(),
    "listener_outbox_failing": set(),
    "listener_outbox_dropped_total": set(),
    "listener_outbox_dead_total": set(),
    "listener_outbox_quarantined_total": set(),
    "listener_outbox_set_aside_total": set(),
    "listener_webhook_events": set(),
    "listener_webhook_oldest_seconds": set(),
    "listener_webhook_unsaved": set(),
    "listener_webhook_failing": set(),
    "listener_webhook_dropped_total": set(),
    "listener_webhook_dead_total": set(),
    "listener_webhook_quarantined_total": set(),
    "listener_webhook_set_aside_total": set(),
    "listener_model_server_up": {"server"},
    "listener_model_server_requests_total": {"server"},
    "listener_model_server_failures_total": {"server"},
    "listener_engine_active": {"engine"},
    "listener_fallback_patches_total": set(),
}


def scrape(health: Health) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = generate_latest(metrics_registry(health)).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(health: Health, name: str, /, **labels: str) -> float | None:
    return scrape(health).get((name, frozenset(labels.items())))


def busy_health() -> Health:
    health = Health(("smoke_alarm", "doorbell"), "home-alarms@3")
    hall = health.add_source("hall")
    hall.by_label.on_thresholds[:] = (0.75, 0.625)
    hall.by_label.scores[:] = (0.25, 0.5)
    hall.by_label.events[:] = (3, 0)
    hall.by_label.active[:] = (True, False)
    hall.status = "online"
    hall.patches, hall.dropped, hall.restarts, hall.overflows = 7, 1, 2, 4
    hall.nonfinite_samples, hall.missing_samples = 5, 6
    hall.level_dbfs, hall.bandwidth_hz = -40.5, 4_000.0
    hall.last_patch_at = 1_795_144_327.5
    health.queue_depths["inference"] = 6
    health.sink_drops["mqtt"] = 8
    health.commands["mute", "refused"] = 11
    health.bundle_switches["taken"] = 12
    health.mqtt_loop_errors, health.mqtt_duplicate_clients = 14, 15
    health.outbox = OutboxHealth(
        events=16, oldest_at=time.time() - 3600.0, unsaved=17, failing="full", dropped=18, dead=19,
        quarantined=20, set_aside=21,
    )  # fmt: skip
    health.webhook = OutboxHealth(events=26, dead=27)
    health.remote = RemoteHealth.of(("grpc://a:1", "grpc://b:1"))
    health.remote.servers["grpc://a:1"] = ServerHealth(up=True, requests=29, failures=30)
    health.remote.active, health.remote.fallback_patches = "grpc://a:1", 31
    health.sink_failures["hook"] = 28
    health.faults["sink:hook"] = 29
    health.bundle_refused = True
    health.heartbeats["inference"] = time.monotonic() - 3600.0
    health.heartbeats["mqtt"] = time.monotonic() + 3600.0
    health.clips_stored, health.clips_bytes, health.clips_free_bytes = 22, 23, 24
    health.clip_errors = 25
    health.clock_steps = 13
    health.mqtt_connected, health.mqtt_dropped, health.mqtt_refused = True, 9, 10
    return health


def test_every_metric_has_its_labels_and_there_is_no_other() -> None:
    found: dict[str, set[str]] = {}
    for name, labels in scrape(busy_health()):
        if name.startswith("listener_"):
            found.setdefault(name, set()).update(label for label, _ in labels)
    assert found == METRICS


def test_the_process_itself_is_measured() -> None:
    names = {name for name, _ in scrape(busy_health())}
    assert {"process_resident_memory_bytes", "process_open_fds", "python_info"} <= names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("listener_patches_total", 7),
        ("listener_patches_dropped_total", 1),
        ("listener_source_restarts_total", 2),
        ("listener_source_overflows_total", 4),
        ("listener_nonfinite_samples_total", 5),
        ("listener_missing_samples_total", 6),
        ("listener_level_dbfs", -40.5),
        ("listener_source_bandwidth_hz", 4_000),
        ("listener_last_patch_timestamp_seconds", 1_795_144_327.5),
        ("listener_source_up", 1),
    ],
)
def test_numbers_of_a_source(name: str, expected: float) -> None:
    assert value(busy_health(), name, source="hall") == expected


@pytest.mark.parametrize(
    ("status", "up"), [("offline", 0), ("online", 1), ("silent", 1), ("clipping", 1)]
)
def test_a_source_is_one_thing_at_a_time_and_up_while_it_is_analysed(status, up) -> None:
    health = busy_health()
    health.sources["hall"].status = status
    found = {
        name: value(health, "listener_source_status", source="hall", status=name)
        for name in ("offline", "online", "silent", "clipping")
    }
    assert found == {name: float(name == status) for name in found}
    assert value(health, "listener_source_up", source="hall") == up


def test_numbers_of_a_label() -> None:
    health = busy_health()
    alarm, doorbell = ({"source": "hall", "label": label} for label in health.labels)
    assert value(health, "listener_score", **alarm) == 0.25
    assert value(health, "listener_score", **doorbell) == 0.5
    assert value(health, "listener_on_threshold", **alarm) == 0.75
    assert value(health, "listener_on_threshold", **doorbell) == 0.625
    assert value(health, "listener_events_total", **alarm) == 3
    assert value(health, "listener_events_total", **doorbell) == 0
    assert value(health, "listener_event_active", **alarm) == 1
    assert value(health, "listener_event_active", **doorbell) == 0


def test_numbers_of_the_station() -> None:
    health = busy_health()
    assert value(health, "listener_bundle_info", name="home-alarms", version="3") == 1
    assert value(health, "listener_queue_depth", stage="inference") == 6
    assert value(health, "listener_sink_dropped_total", sink="mqtt") == 8
    assert value(health, "listener_sink_failures_total", sink="hook") == 28
    assert value(health, "listener_faults_total", part="sink:hook") == 29
    assert value(health, "listener_webhook_events") == 26
    assert value(health, "listener_webhook_dead_total") == 27
    assert value(health, "listener_outbox_events") == 16
    assert value(health, "listener_commands_total", command="mute", result="refused") == 11
    assert value(health, "listener_bundle_switches_total", result="taken") == 12
    assert value(health, "listener_bundle_switches_total", result="refused") == 0
    assert value(health, "listener_bundle_refused") == 1
    assert value(health, "listener_clock_steps_total") == 13
    assert value(health, "listener_mqtt_connected") == 1
    assert value(health, "listener_mqtt_dropped_total", reason="queue_full") == 9
    assert value(health, "listener_mqtt_dropped_total", reason="refused") == 10
    assert value(health, "listener_mqtt_loop_errors_total") == 14
    assert value(health, "listener_mqtt_rivals_total") == 15
    builds = [dict(labels) for name, labels in scrape(health) if name == "listener_build_info"]
    assert [build["version"] for build in builds] == [__version__]


def test_the_time_since_a_stage_last_moved_is_shown() -> None:
    health = busy_health()
    age = value(health, "listener_heartbeat_age_seconds", stage="inference")
    assert age == pytest.approx(3600.0, abs=60.0)
    assert value(health, "listener_heartbeat_age_seconds", stage="mqtt") == 0  # given longer


def test_the_clips_and_their_disk_are_shown() -> None:
    health = busy_health()
    assert value(health, "listener_clips_stored") == 22
    assert value(health, "listener_clips_bytes") == 23
    assert value(health, "listener_clips_free_bytes") == 24
    assert value(health, "listener_clip_errors_total") == 25


def test_the_outbox_is_shown() -> None:
    health = busy_health()
    assert value(health, "listener_outbox_events") == 16
    assert value(health, "listener_outbox_oldest_seconds") == pytest.approx(3600.0, abs=60.0)
    assert value(health, "listener_outbox_unsaved") == 17
    assert value(health, "listener_outbox_failing") == 1
    assert value(health, "listener_outbox_dropped_total") == 18
    assert value(health, "listener_outbox_dead_total") == 19
    assert value(health, "listener_outbox_quarantined_total") == 20
    assert value(health, "listener_outbox_set_aside_total") == 21


def test_model_servers_are_shown_and_which_engine_is_active() -> None:
    health = busy_health()
    assert value(health, "listener_model_server_up", server="grpc://a:1") == 1
    assert value(health, "listener_model_server_up", server="grpc://b:1") == 0
    assert value(health, "listener_model_server_requests_total", server="grpc://a:1") == 29
    assert value(health, "listener_model_server_failures_total", server="grpc://a:1") == 30
    assert value(health, "listener_fallback_patches_total") == 31
    active = {
        engine: value(health, "listener_engine_active", engine=engine)
        for engine in ("grpc://a:1", "grpc://b:1", FALLBACK)
    }
    assert active == {"grpc://a:1": 1, "grpc://b:1": 0, FALLBACK: 0}


def test_histograms_are_cumulative() -> None:
    health = busy_health()
    for patches in (1, 3, 4, 5000):
        health.batch_patches.observe(patches)
    name = "listener_batch_patches_bucket"
    assert value(health, name, le="1.0") == 1
    assert value(health, name, le="2.0") == 1
    assert value(health, name, le="4.0") == 3
    assert value(health, name, le="1024.0") == 3
    assert value(health, name, le="+Inf") == 4
    assert value(health, "listener_batch_patches_count") == 4
    assert value(health, "listener_batch_patches_sum") == 5008


def test_unknown_values_are_not_shown() -> None:
    health = Health(("smoke_alarm",), "home-alarms@3")
    health.add_source("hall")
    names = {name for name, _ in scrape(health)}
    unknown = {
        "listener_last_patch_timestamp_seconds",
        "listener_level_dbfs",
        "listener_source_bandwidth_hz",
        "listener_score",
        "listener_mqtt_connected",
        "listener_mqtt_dropped_total",
        "listener_clips_free_bytes",
    }
    assert names.isdisjoint(unknown)
    assert value(health, "listener_source_up", source="hall") == 0


def test_numbers_are_read_at_the_scrape() -> None:
    health = busy_health()
    assert value(health, "listener_patches_total", source="hall") == 7
    health.sources["hall"].patches += 1
    health.sources["hall"].by_label.scores = np.array((0.75, 0.5), np.float32)
    assert value(health, "listener_patches_total", source="hall") == 8
    assert value(health, "listener_score", source="hall", label="smoke_alarm") == 0.75


def test_another_bundle_changes_labels_and_numbers_together() -> None:
    health = busy_health()
    hall = health.sources["hall"]
    hall.by_label = hall.by_label.moved_to(("siren", "smoke_alarm"))
    assert value(health, "listener_events_total", source="hall", label="smoke_alarm") == 3
    assert value(health, "listener_events_total", source="hall", label="siren") == 0
    assert value(health, "listener_events_total", source="hall", label="doorbell") is None

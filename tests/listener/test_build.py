"""Which clips are kept follows from the config, and from what the bundle knows of people."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from listener.build import make_detection_plan, plan_source
from listener.config.engine import DetectionSettings, PolicySettings
from listener.config.load import load_config
from listener.config.sources import FileSettings, MicrophoneSettings, StreamSettings
from listener.config.station import ClipsSettings, ConfigError
from listener.detection.bundle import Bundle, Label
from listener.detection.labels import LabelGroup
from listener.detection.policy import LabelPolicy
from tests.bundles import HIGH_TONE_HZ, LOW_TONE_HZ
from tests.listener.detection.waveforms import silence, sine
from tests.listener.scenes import write_sound
from tests.listener.sinks.notices import manifest
from tests.rigs.http_inbox import Inbox, http_inbox
from tests.rigs.mosquitto import free_port, wait_until
from tests.rigs.station import get, running_station, write_toml

LABELS = ("dog", "speech", "glass", "conversation")


@pytest.fixture
def bundle() -> Bundle:
    names = tuple(Label(slug, slug.title()) for slug in LABELS)
    thresholds = zip(LABELS, (0.125, 0.25, 0.375, 0.5), strict=True)
    policies = {slug: LabelPolicy(0.75, off_threshold) for slug, off_threshold in thresholds}
    return Bundle(Path("none"), replace(manifest(), labels=names, policies=policies))


def kept(bundle: Bundle, *looked_for: str, **changes: object) -> tuple[set[str], dict[str, float]]:
    """The labels of which clips are kept, and the threshold of each that is private."""
    settings = ClipsSettings.model_validate({"enabled": True} | changes)
    detection = DetectionSettings(labels=looked_for)
    plan = make_detection_plan(bundle, detection, "farm", settings).clips
    assert plan is not None
    labels = [bundle.labels[column] for column in plan.private.columns]
    thresholds = dict(zip(labels, plan.private.thresholds.tolist(), strict=True))
    return set(plan.extraction.labels), thresholds


def test_nothing_is_kept_of_speech_whether_or_not_it_is_looked_for(bundle: Bundle):
    private = {"speech": 0.25, "conversation": 0.5}
    assert kept(bundle) == ({"dog", "glass"}, private)
    assert kept(bundle, "dog") == ({"dog"}, private)


def test_a_person_may_add_labels_and_allow_speech(bundle: Bundle):
    both = {"private_labels": ("glass",)}
    assert kept(bundle, **both)[0] == {"dog"}
    assert kept(bundle, **both, keep_speech=True) == (
        {"dog", "speech", "conversation"},
        {"glass": 0.375},
    )


def of_groups(
    bundle: Bundle, off_threshold: float | None = None, **changes: object
) -> tuple[set[str], dict[str, float]]:
    """As `kept`, with a group that people may be heard in, and one of a dog and of glass."""
    groups = (
        LabelGroup(Label("someone", "Someone"), ("dog", "speech")),
        LabelGroup(Label("intruder", "Intruder"), ("dog", "glass")),
    )
    settings = ClipsSettings.model_validate({"enabled": True} | changes)
    policies = {"someone": PolicySettings(off_threshold=off_threshold)}
    detection = DetectionSettings(policies=policies)
    plan = make_detection_plan(bundle, detection, "farm", settings, groups).clips
    assert plan is not None
    labels = [bundle.labels[column] for column in plan.private.columns]
    thresholds = dict(zip(labels, plan.private.thresholds.tolist(), strict=True))
    return set(plan.extraction.labels), thresholds


def test_nothing_is_kept_of_a_group_with_speech_in_it(bundle: Bundle):
    # the group closes at the dog's 0.125, and so is speech in it heard from there on
    assert of_groups(bundle) == ({"intruder"}, {"speech": 0.125, "conversation": 0.5})
    assert of_groups(bundle, keep_speech=True) == ({"someone", "intruder"}, {})


def test_a_less_alert_group_makes_speech_no_less_private(bundle: Bundle):
    assert of_groups(bundle, 0.75)[1] == {"speech": 0.25, "conversation": 0.5}


def test_a_private_group_makes_its_members_private(bundle: Bundle):
    labels, thresholds = of_groups(bundle, private_labels=("intruder",), keep_speech=True)
    assert (labels, set(thresholds)) == (set(), {"dog", "glass"})


def test_a_private_label_that_the_bundle_has_not_is_no_private_label(bundle: Bundle):
    with pytest.raises(
        ConfigError, match=r"clips.private_labels: home-alarms@3 has no label 'dgo'"
    ):
        kept(bundle, private_labels=("dgo",))


@pytest.mark.parametrize("enabled", [True, False])
def test_clips_are_told_of_the_members_of_groups_in_their_order(bundle: Bundle, enabled: bool):
    """Glass is looked for beside them, and is no member; a dog is a member twice."""
    groups = (
        LabelGroup(Label("intruder", "Intruder"), ("glass", "dog")),
        LabelGroup(Label("pet", "Pet"), ("dog",)),
    )
    detection, clips = DetectionSettings(labels=("glass",)), ClipsSettings(enabled=enabled)
    plan = make_detection_plan(bundle, detection, "farm", clips, groups)
    dog, speech, glass, conversation = 0.1, 0.2, 0.3, 0.4
    scores = np.array([[dog, speech, glass, conversation]], np.float32)
    wanted = np.array([[glass, dog, dog]], np.float32)[:, : 3 * enabled]
    np.testing.assert_array_equal(plan.member_scores(scores), wanted)


def test_nothing_is_cut_where_no_clips_are_kept(bundle: Bundle):
    for settings in (None, ClipsSettings()):
        plan = make_detection_plan(bundle, DetectionSettings(), "farm", settings)
        assert plan.clips is None


def test_a_microphone_is_tried_again_soon_however_long_it_was_away():
    microphone = plan_source(MicrophoneSettings(name="a", kind="microphone"))
    stream = plan_source(StreamSettings(name="b", kind="stream", url="http://127.0.0.1/"))
    assert (microphone.restarts, stream.restarts) == (True, True)
    # with half a second to open it and 0.975 s until its first patch, it is back within 5 s
    assert microphone.backoff_limit_seconds <= 3.0
    assert stream.backoff_limit_seconds > 30.0


def test_a_file_that_is_lost_is_not_tried_again():
    assert not plan_source(FileSettings(name="a", kind="file", path=Path("a.wav"))).restarts


def station_config(folder: Path, bundle: Bundle, at_end: str, **tables: Any) -> dict[str, Any]:
    """A station that hears low_tone and high_tone, again and again if it shall."""
    tones = [sine(hz, 2.0, 0.5) for hz in (LOW_TONE_HZ, HIGH_TONE_HZ)]
    sound = np.concatenate([tones[0], silence(1.0), tones[1], silence(1.0)])
    wav = write_sound(folder / "hall.wav", sound)
    pace = "fast" if at_end == "stop" else "realtime"
    source = {"name": "hall", "kind": "file", "path": wav, "pace": pace, "at_end": at_end}
    return {
        "station": "test",
        "bundle": bundle.path,
        "sources": [source],
        "http": {"port": free_port()},
        **tables,
    }


def spans(documents: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(document["label"], document["phase"]) for document in documents]


SPANS = [
    ("low_tone", "start"),
    ("low_tone", "end"),
    ("high_tone", "start"),
    ("high_tone", "end"),
]


def test_every_event_goes_to_the_server_the_file_and_the_program(
    tones_bundle: Bundle, tmp_path: Path
):
    (tmp_path / "token").write_text("a-secret-of-the-tests\n")
    inbox = Inbox()
    inbox.faults += [503, 0]
    with http_inbox(inbox):
        config = station_config(
            tmp_path,
            tones_bundle,
            "restart",
            webhook={"url": f"http://127.0.0.1:{inbox.port}/x", "token_file": tmp_path / "token"},
            event_file={"path": "events.jsonl"},  # beside the config
            hook={"program": ["/bin/sh", "-c", f"cat >> {tmp_path}/hook.jsonl; echo heard"]},
        )
        with running_station(tmp_path, config) as station:
            taken = inbox.wait_for(4, 60)
            wait_until(lambda: len(read(tmp_path / "hook.jsonl")) >= 4, 40, "four runs")
            metrics = get(config["http"]["port"], "/metrics")[1]
            assert station.stop() == 0
            log = station.log
    assert spans(taken)[:4] == SPANS
    assert [document["seq"] for document in taken] == [*range(1, len(taken) + 1)]
    assert inbox.requests[0].headers["Authorization"] == "Bearer a-secret-of-the-tests"
    for path in ("events.jsonl", "hook.jsonl"):
        assert spans(read(tmp_path / path))[:4] == SPANS
    assert read(tmp_path / "events.jsonl")[0]["id"] == taken[0]["id"]
    for name in ('sink_failures_total{sink="event_file"}', 'sink_failures_total{sink="hook"}'):
        assert f"listener_{name} 0.0" in metrics
    assert "listener_webhook_dead_total 0.0" in metrics
    assert "hook: /bin/sh: heard" in log
    assert "a-secret-of-the-tests" not in log
    assert "Traceback" not in log


def read(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file, if there is one."""
    if not path.exists():
        return []
    text = path.read_text()
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def test_events_that_no_server_took_before_a_kill_arrive_after_it(
    tones_bundle: Bundle, tmp_path: Path
):
    inbox = Inbox()
    with http_inbox(inbox):
        pass  # a port where nobody listens now
    webhook = {"url": f"http://127.0.0.1:{inbox.port}/"}
    config = station_config(tmp_path, tones_bundle, "restart", webhook=webhook)
    with running_station(tmp_path, config) as station:
        station.wait_for_log("events wait: ConnectionRefusedError", 60)
        wait_until(lambda: waiting(config["http"]["port"]) >= 3, 60, "three events wait")
        station.process.kill()
        station.process.wait()
    with http_inbox(inbox), running_station(tmp_path, config):
        taken = inbox.wait_for(4, 60)
    assert spans(taken)[:3] == SPANS[:3]
    assert (taken[3]["phase"], taken[3]["reason"]) in (("end", "restart"), ("end", None))
    assert [document["seq"] for document in taken[:4]] == [1, 2, 3, 4]


def waiting(port: int) -> float:
    page = get(port, "/metrics")[1]
    lines = [line for line in page.splitlines() if line.startswith("listener_webhook_events ")]
    return float(lines[0].split()[1]) if lines else 0.0


QUIET = {"begin": "00:00", "end": "23:59", "timezone": "UTC", "labels": ["low_tone"]}
LAST_MINUTE = {**QUIET, "begin": "23:59", "end": "00:00"}  # so that the day is whole


def test_what_is_quiet_makes_no_event_for_anybody(tones_bundle: Bundle, tmp_path: Path):
    config = station_config(
        tmp_path,
        tones_bundle,
        "stop",
        quiet=[QUIET, LAST_MINUTE],
        event_file={"path": "events.jsonl"},
        console={"format": "jsonl"},
        clips={"enabled": True, "ambient_per_hour": 0.0, "near_misses_per_hour": 0.0},
    )
    with running_station(tmp_path, config) as station:
        assert station.process.wait(40) == 0, station.log
        printed = [json.loads(line) for line in station.output.splitlines()]
    expected = [("high_tone", "start"), ("high_tone", "end")]
    assert spans(printed) == spans(read(tmp_path / "events.jsonl")) == expected
    assert len([*(tmp_path / "clips").rglob("*.flac")]) == 1


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"webhook": {"url": "ftp://x/"}}, "webhook.url: expected http:// or https://, a host and"),
        ({"webhook": {"url": "https://a:hunter2@x/"}}, "webhook.url: expected http:// or https://"),
        (
            {"hook": {"program": ["notify"]}},
            "hook: program: expected the absolute path of a program",
        ),
        ({"quiet": [QUIET | {"begin": "7:00"}]}, "quiet.0.begin: expected a time of day such as"),
        ({"quiet": [QUIET | {"timezone": "Mars/Base"}]}, "quiet.0.timezone: expected a time zone"),
        ({"quiet": [QUIET | {"all_but": []}]}, "quiet.0: expected either labels or all_but"),
        ({"quiet": [QUIET | {"labels": []}]}, "quiet.0: labels: expected at least one"),
        ({"quiet": [QUIET | {"end": "00:00"}]}, "quiet.0: begin, end: expected two different"),
        (
            {"quiet": [QUIET | {"sources": ["hal"]}]},
            "quiet.sources: expected some of hall, got hal",
        ),
    ],
)
def test_what_cannot_be_meant_is_one_line(
    tones_bundle: Bundle, tmp_path: Path, tables: dict[str, Any], message: str
):
    document = station_config(tmp_path, tones_bundle, "stop", **tables)
    with pytest.raises(ConfigError) as error:
        load_config(write_toml(tmp_path / "config.toml", document))
    assert str(error.value).startswith(f"{tmp_path / 'config.toml'}: {message}")
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (
            {"webhook": {"url": "https://x/", "token_file": "none"}},
            "webhook.token_file: cannot read",
        ),
        (
            {"quiet": [QUIET | {"labels": ["low_tune"]}]},
            "quiet: no label 'low_tune' makes events; near to it: low_tone",
        ),
    ],
)
def test_what_only_a_station_sees_ends_it_with_one_line_and_exit_code_2(
    tones_bundle: Bundle, tmp_path: Path, tables: dict[str, Any], message: str
):
    config = station_config(tmp_path, tones_bundle, "stop", **tables)
    with running_station(tmp_path, config) as station:
        assert station.process.wait(40) == 2
    assert message in station.log
    assert len([line for line in station.log.splitlines() if "listener:" in line]) == 1

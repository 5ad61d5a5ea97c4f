"""Clock step: "durations on the monotonic clock; events keep sample time; re-anchored and announced".

The system clock of the real daemon is set while it plays a tone again and again.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from listener.detection.bundle import Bundle
from tests.bundles import LOW_TONE_HZ
from tests.listener.test_station import (
    RATE,
    file_source,
    metric,
    station_config,
    tone,
    write_wav,
)
from tests.rigs import set_clock
from tests.rigs.commander import ask, command
from tests.rigs.mosquitto import Messages, Mosquitto, subscribe, wait_until
from tests.rigs.station import get, running_station

TONE_SECONDS, PAUSE_SECONDS = 3.0, 1.5
EVENTS = "earshot/test/beeps/event"

pytestmark = pytest.mark.skipif(set_clock.missing() is not None, reason=str(set_clock.missing()))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as mosquitto:
        yield mosquitto


def event(messages: Messages, number: int) -> dict[str, Any]:
    """The event message of that number, from 0."""
    payload = messages.wait_for_topic(EVENTS, number + 1, seconds=60)[number].payload
    document: dict[str, Any] = json.loads(payload)
    return document


def unix(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()


def test_events_keep_their_durations_while_the_clock_is_set_forward_and_back(
    tones_bundle: Bundle, broker: Mosquitto, tmp_path: Path
) -> None:
    clock = set_clock.SetClock(tmp_path)
    silence = np.zeros(int(PAUSE_SECONDS * RATE), np.float32)
    beeps = np.concatenate([silence, tone(LOW_TONE_HZ, TONE_SECONDS)])
    wav = write_wav(tmp_path / "beeps.wav", beeps)
    config = station_config(tones_bundle, broker, [file_source(wav, at_end="restart")])
    config["detection"] = {"labels": ["low_tone"]}
    with (
        subscribe(broker.port, "earshot/test/#") as messages,
        running_station(tmp_path, config, clock.environment) as station,
    ):
        ahead = [0]
        for step_by in (3600, -7200):
            number = 2 * (len(ahead) - 1)
            start = event(messages, number)
            ahead.append(ahead[-1] + step_by)
            clock.set_by(ahead[-1])
            end, later = event(messages, number + 1), event(messages, number + 2)
            assert (start["phase"], end["phase"], later["phase"]) == ("start", "end", "start")
            assert (end["id"], end["onset"], end["reason"]) == (start["id"], start["onset"], None)
            assert end["duration_seconds"] == pytest.approx(TONE_SECONDS, abs=1.0)
            assert unix(start["onset"]) - time.time() == pytest.approx(ahead[-2], abs=60)
            assert unix(later["onset"]) - time.time() == pytest.approx(ahead[-1], abs=60)
        steps = [json.loads(m.payload) for m in messages.wait_for_topic("earshot/test/clock", 2)]
        assert [step["step_seconds"] for step in steps] == pytest.approx([3600, -7200], abs=1.0)
        assert unix(steps[1]["at"]) - time.time() == pytest.approx(-3600, abs=60)
        assert metric(config, "listener_clock_steps_total") == 2
        assert metric(config, 'listener_missing_samples_total{source="beeps"}') == 0
        wait_until(lambda: get(config["http"]["port"], "/readyz")[0] == 200, 20, "ready")
        assert station.stop() == 0
    assert station.log.count("the system clock was set by ") == 2
    assert station.log.count("source beeps: online") == 1


def at(by: int) -> str:
    """Now, by a clock that is so much ahead."""
    return datetime.fromtimestamp(time.time() + by, UTC).isoformat()


def test_a_clock_that_is_set_by_a_year_refuses_no_command_ends_mutes_in_time_and_deletes_nothing(
    tones_bundle: Bundle, broker: Mosquitto, tmp_path: Path
) -> None:
    """Forward by 400 days while clips are stored, then back by a year."""
    clock = set_clock.SetClock(tmp_path)
    silence = np.zeros(int(PAUSE_SECONDS * RATE), np.float32)
    wav = write_wav(tmp_path / "beeps.wav", np.concatenate([silence, tone(LOW_TONE_HZ, 1.0)]))
    config = station_config(tones_bundle, broker, [file_source(wav, at_end="restart")])
    config |= {
        "detection": {"labels": ["low_tone"]},
        "clips": {"enabled": True, "directory": tmp_path / "clips", "keep_days": 90.0},
        "control": {"mqtt": True, "state_file": tmp_path / "state.json"},
    }

    def clips() -> set[Path]:
        return set((tmp_path / "clips").glob("[0-9]*/*/*/*.flac"))

    with running_station(tmp_path, config, clock.environment) as station:
        wait_until(lambda: len(clips()) >= 2, 60, "clips")
        before = clips()
        for by in (400 * 86_400, -365 * 86_400):
            stored = clips()
            clock.set_by(by)
            wait_until(lambda stored=stored: len(clips() - stored) >= 2, 60, "more clips")  # type: ignore[misc]
            mute = command(label="low_tone", seconds=4.0, at=at(by))
            assert ask(broker.port, "mute", mute)["ok"]
            clock.set_by(by - 3600)
            heard = clips()
            wait_until(lambda heard=heard: clips() - heard, 60, "the mute has ended")  # type: ignore[misc]
        assert before <= clips()
        assert station.stop() == 0
        assert "Traceback" not in station.log


NAIVE = """
import sys, time
unix, monotonic = time.time(), time.monotonic()
print("began", flush=True)
sys.stdin.readline()
print(time.time() - unix, time.monotonic() - monotonic)
"""


def test_a_duration_by_now_is_wrong_in_this_rig(tmp_path: Path) -> None:
    """The negative control."""
    clock = set_clock.SetClock(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", NAIVE],
        env=clock.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as naive:
        assert naive.stdout is not None
        assert naive.stdout.readline() == "began\n"
        clock.set_by(3600)
        by_now, by_monotonic = map(float, naive.communicate("go on\n", timeout=60)[0].split())
    assert by_now == pytest.approx(3600, abs=60)
    assert by_monotonic < 60

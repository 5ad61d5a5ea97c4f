"""A bundle goes out in waves: docs/fleet.md, with three real stations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from listener.detection.bundle import Bundle, read_bundle
from tests.bundles import LOW_TONE_HZ
from tests.rigs.bundle_copies import copy_bundle
from tests.rigs.mosquitto import Messages, Mosquitto, subscribe, wait_until
from tests.rigs.station import running_station
from trainer.errors import PromotionError
from trainer.promotion.promote import PromoteRequest, promote, roll_back

WAVES = (("farm",), ("barn", "yard"))
STATIONS = tuple(station for wave in WAVES for station in wave)
WAIT_SECONDS = 60.0


def models_of(station: str, directory: Path) -> Path:
    """Where the station's config looks for `current`."""
    return directory / station / "models"


def promote_on(station: str, candidate: Path, directory: Path) -> None:
    """What `trainer promote CANDIDATE --models DIR --noise-label noise --unproven` does there."""
    promote(
        PromoteRequest(
            candidate,
            models_of(station, directory),
            noise_labels=frozenset({"noise"}),
            without_holdout=True,
        )
    )


def roll_out(candidate: Path, messages: Messages, directory: Path) -> None:
    """Wave by wave; the next one begins when all of this one say that they use it."""
    version = read_bundle(candidate).manifest.version
    for wave in WAVES:
        for station in wave:
            promote_on(station, candidate, directory)
        for station in wave:
            wait_for_version(messages, station, version)


def versions(messages: Messages) -> dict[str, int]:
    """By station the version of the bundle that it said last to use."""
    said = [m for m in messages.all if m.topic.endswith("/bundle")]
    return {m.topic.split("/")[1]: json.loads(m.payload)["version"] for m in said}


def wait_for_version(messages: Messages, station: str, version: int) -> None:
    wait_until(
        lambda: versions(messages).get(station) == version, WAIT_SECONDS, f"{station}: {version}"
    )


@pytest.fixture
def fleet(tmp_path: Path, tones_bundle: Bundle) -> Iterator[Messages]:
    """Three stations that use version 1, and what they say."""
    t = np.arange(32_000) / 16_000
    sound = np.concatenate([0.5 * np.sin(2 * np.pi * LOW_TONE_HZ * t), np.zeros(16_000)])
    soundfile.write(tmp_path / "hall.wav", sound, 16_000, subtype="PCM_16")
    with Mosquitto(tmp_path) as broker, ExitStack() as stack:
        messages = stack.enter_context(subscribe(broker.port, "earshot/#"))
        for station in STATIONS:
            (tmp_path / station).mkdir()
            promote_on(station, tones_bundle.path, tmp_path)
            config = config_of(station, broker.port, tmp_path)
            stack.enter_context(running_station(tmp_path / station, config))
        for station in STATIONS:
            messages.wait_for_payload(f"earshot/{station}/hall/status", "online", WAIT_SECONDS)
        yield messages


def config_of(station: str, port: int, directory: Path) -> dict[str, Any]:
    wav = {"kind": "file", "path": directory / "hall.wav", "at_end": "restart"}
    return {
        "station": station,
        "bundle": models_of(station, directory) / "current",
        "sources": [{"name": "hall", **wav}],
        "mqtt": {"port": port},
        "http": {"enabled": False},
    }


def test_what_the_canary_refuses_goes_nowhere_and_what_it_takes_goes_everywhere_and_back(
    fleet: Messages, tones_bundle: Bundle, tmp_path: Path
):
    with pytest.raises(PromotionError, match="tones@2 stays out"):
        roll_out(copy_bundle(tones_bundle, tmp_path / "alert", make_alert), fleet, tmp_path)
    links = [models_of(station, tmp_path) / "current" for station in STATIONS]
    assert [link.readlink() for link in links] == [Path("tones@1")] * 3

    candidate = copy_bundle(tones_bundle, tmp_path / "candidate")
    promote_on("farm", candidate, tmp_path)
    wait_for_version(fleet, "farm", 2)
    assert versions(fleet) == {"farm": 2, "barn": 1, "yard": 1}
    roll_out(candidate, fleet, tmp_path)  # once more, where it is in use already, does no harm
    assert versions(fleet) == {"farm": 2, "barn": 2, "yard": 2}

    for station in STATIONS:
        roll_back(models_of(station, tmp_path))
        wait_for_version(fleet, station, 1)


def make_alert(manifest: dict[str, Any]) -> None:
    """Version 2 would hear its tone in silence."""
    manifest["version"] = 2
    manifest["policies"]["low_tone"].update(on_threshold=1e-6, off_threshold=1e-6)

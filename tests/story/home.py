"""A home with three sources: its station, what it said on MQTT, and its clips."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from listener.detection.clip import ClipRecord
from listener.detection.clip_files import read_sidecar
from tests.rigs.mosquitto import Message, Messages, Mosquitto, free_port, subscribe, wait_until
from tests.rigs.station import StationProcess, get, running_station
from tests.story.material import SLOT_SECONDS, Material

ROOT = "earshot/test"
TOKEN = "a-token-of-the-story"
PATIENCE_SECONDS = 90.0

_EARLY_SECONDS = 1.0  # an event may begin half a patch before its sound


@dataclass(frozen=True, slots=True)
class Heard:
    """An event that began: which recording of its source's loop it lies in, and what it was called."""

    source: str
    recording: int
    label: str


@dataclass(frozen=True, slots=True)
class Home:
    """A station whose sources are named after what they play, in a loop."""

    material: Material
    folder: Path
    broker: Mosquitto
    messages: Messages
    station: StationProcess
    http_port: int
    review_port: int

    @property
    def clips(self) -> Path:
        """Its clip store."""
        return self.folder / "clips"

    def documents(self, topic: str) -> list[dict[str, Any]]:
        """What came on a topic, `+` for any source, in the order of its coming."""
        return [json.loads(each.payload) for each in self.messages.all if _is_on(each, topic)]

    def events(self) -> list[dict[str, Any]]:
        """What came of events."""
        return self.documents("+/event")

    def wait_for_bundle(self, version: int, count: int) -> float:
        """When the station took the bundle that it announces as its `count`th, unix seconds."""
        topic = f"{ROOT}/bundle"
        told = self.messages.wait_for_topic(topic, count, PATIENCE_SECONDS)[count - 1]
        document = json.loads(told.payload)
        assert document["version"] == version, self.station.log
        return unix(document["loaded_at"])

    def began(self, source: str) -> float:
        """When the first sample of a source was due, unix seconds, by its first patch."""
        first = self.messages.wait_for_topic(f"{ROOT}/{source}/level", 1, PATIENCE_SECONDS)[0]
        return unix(json.loads(first.payload)["at"]) - 0.975  # 15 600 samples at 16 kHz

    def heard_until(self, source: str) -> float:
        """The last sample that was analysed, unix seconds."""
        return unix(self.documents(f"{source}/level")[-1]["at"])

    def next_recording(self, source: str, after: float) -> float:
        """When the first recording of a source begins that is all later."""
        began = self.began(source)
        return began + SLOT_SECONDS * (1 + (after - began) // SLOT_SECONDS)

    def heard_in_a_round(self, source: str, after: float) -> set[Heard]:
        """What events a source gives in its next round, from the first whole recording on."""
        start = self.next_recording(source, after)
        end = start + self.material.loop_seconds
        last = end + SLOT_SECONDS  # by then all events of it are told
        wait_until(lambda: self.heard_until(source) > last, PATIENCE_SECONDS, f"{source}: a round")
        begun = [each for each in self.events() if each["phase"] == "start"]
        return {
            self.place(each)
            for each in begun
            if each["source"] == source and start <= unix(each["onset"]) + _EARLY_SECONDS < end
        }

    def place(self, event: dict[str, Any]) -> Heard:
        """Where in its loop an event lies."""
        since = unix(event["onset"]) + _EARLY_SECONDS - self.began(event["source"])
        recording = int(since % self.material.loop_seconds // SLOT_SECONDS)
        return Heard(event["source"], recording, event["label"])

    def clips_of(self, wanted: set[Heard]) -> dict[Heard, ClipRecord]:
        """A stored clip of an event of each of these."""
        found: dict[Heard, ClipRecord] = {}
        wait_until(
            lambda: self._collect(found, wanted), PATIENCE_SECONDS, f"clips: {wanted - set(found)}"
        )
        return found

    def _collect(self, found: dict[Heard, ClipRecord], wanted: set[Heard]) -> bool:
        for event in self.events():
            place = self.place(event)
            if event["phase"] == "end" and place in wanted - set(found):
                for path in self.clips.rglob(f"{event['clip']}.json"):
                    found[place] = read_sidecar(path)
        return set(found) == wanted

    def metrics(self, name: str) -> list[float]:
        """The values of all series of a metric."""
        lines = get(self.http_port, "/metrics")[1].splitlines()
        return [float(line.split()[-1]) for line in lines if line.startswith(name)]


def unix(iso: str) -> float:
    """Unix seconds of a time as the station writes it."""
    return datetime.fromisoformat(iso).timestamp()


def _is_on(message: Message, topic: str) -> bool:
    names, wanted = message.topic.split("/"), f"{ROOT}/{topic}".split("/")
    same = (name in (found, "+") for found, name in zip(names, wanted, strict=False))
    return len(names) == len(wanted) and all(same)


@contextmanager
def running_home(material: Material, folder: Path, bundle: Path) -> Iterator[Home]:
    """The station, from before its first sound on."""
    with (
        Mosquitto(folder) as broker,
        subscribe(broker.port, f"{ROOT}/#") as messages,
    ):
        config = _config(material, folder, bundle, broker.port)
        with running_station(folder, config, {"OMP_NUM_THREADS": "1"}) as station:
            ports = config["http"]["port"], config["review"]["port"]
            home = Home(material, folder, broker, messages, station, *ports)
            for label in material.labels:
                home.began(label)
            yield home


def _config(material: Material, folder: Path, bundle: Path, mqtt_port: int) -> dict[str, Any]:
    (folder / "token").write_text(TOKEN)
    return {
        "station": "test",
        "bundle": bundle,
        "sources": [_source(material, folder, label) for label in material.labels],
        # barks of one recording are one event, and a blip is none
        "detection": {"default_policy": {"min_duration_seconds": 0.5, "max_gap_seconds": 0.5}},
        "mqtt": {"port": mqtt_port, "level_interval_seconds": 0.0},
        "http": {"port": free_port()},
        "console": {"format": "jsonl"},
        "control": {"mqtt": True, "http_token_file": folder / "token"},
        "clips": {
            "enabled": True,
            "pre_seconds": 0.5,
            "post_seconds": 0.5,
            "near_misses_per_hour": 0.0,
            "ambient_per_hour": 0.0,
        },
        "review": {"enabled": True, "port": free_port()},
    }


def _source(material: Material, folder: Path, label: str) -> dict[str, Any]:
    path = material.write_loop(label, folder / f"{label}.wav")
    return {"name": label, "kind": "file", "path": path, "at_end": "restart"}

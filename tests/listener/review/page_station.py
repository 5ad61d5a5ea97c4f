"""A real daemon that hears a smoke alarm and serves the page, and clips of dogs from before it ran."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile

from listener.clips.store import ClipStore
from listener.config.station import ClipsSettings
from listener.detection.clip import ClipDraft, LabelScore, LabelSpan
from listener.soundscape.schedule import SceneSpec, random_scene
from listener.soundscape.sounds import ALARMS
from tests.listener.clips.drafts import make_draft
from tests.listener.review.rig import TOKEN
from tests.rigs.mosquitto import free_port, wait_until
from tests.rigs.station import running_station
from tests.shared import ROOT

STARTER = ROOT / "listener" / "starter" / "bundle"
OLD_CLIPS = 8
SMOKE_ALARM = SceneSpec(
    seconds=12.0,
    sounds_per_scene=1,
    shortest_seconds=6.0,
    longest_seconds=8.0,
    snr_db=20.0,
    sounds={"smoke_alarm": ALARMS["smoke_alarm"]},
)


@dataclass
class Station:
    """Where the page is, and what it is about."""

    address: str
    store: ClipStore

    def sidecar(self, clip_id: str) -> dict[str, Any]:
        """As it lies on the disk."""
        path = self.store.get(clip_id).path.with_suffix(".json")
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    def wait_for_verdict(self, clip_id: str, count: int = 1) -> dict[str, Any]:
        """The latest verdict in the sidecar, once there are so many."""
        wait_until(lambda: len(self.sidecar(clip_id)["verdicts"]) == count, 15, "a verdict")
        found: dict[str, Any] = self.sidecar(clip_id)["verdicts"][-1]
        return found


def dog_clip(number: int) -> ClipDraft:
    """A clip from before the station ran."""
    top = (LabelScore("dog", 0.9), LabelScore("rooster", 0.2))
    return make_draft(
        number, embedding=(1.0, 0.1 * number), top=top, labels=(LabelSpan("dog", 0.5, 1.5),)
    )


def station_config(directory: Path) -> dict[str, Any]:
    wav, token = directory / "scene.wav", directory / "token"
    soundfile.write(wav, random_scene(SMOKE_ALARM, seed=1).samples, 16_000, subtype="PCM_16")
    token.write_text(TOKEN)
    return {
        "station": "test",
        "bundle": STARTER,
        "sources": [{"name": "hall", "kind": "file", "path": wav, "at_end": "restart"}],
        "http": {"port": free_port()},
        "control": {"http_token_file": token},
        "clips": {"enabled": True, "post_seconds": 0.5, "max_seconds": 5.0},
        "review": {"enabled": True, "port": free_port()},
    }


@contextmanager
def station_with_page(directory: Path) -> Iterator[Station]:
    """The daemon, once it has kept a clip of what it heard."""
    store = ClipStore(ClipsSettings(directory=directory / "clips"), ("dog", "rooster"))
    for number in range(OLD_CLIPS):
        store.add(dog_clip(number))
    config = station_config(directory)
    with running_station(directory, config) as process:
        wait_until(lambda: store.totals().clips > OLD_CLIPS, 40, "a clip of the soundscape")
        yield Station(f"http://127.0.0.1:{config['review']['port']}/", store)
        assert "Traceback" not in process.log
    store.close()

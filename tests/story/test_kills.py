"""kill -9 at random moments of capture, verdict and promotion tears nothing and loses no verdict."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from listener.clips.layout import day_directories
from listener.clips.store import ClipStore
from listener.config.station import ClipsSettings
from listener.detection.bundle import Bundle, check_golden, read_bundle
from listener.detection.clip import ClipError, read_analysis
from listener.detection.clip_files import analysis_path, read_audio, read_sidecar
from listener.engines.litert import LiteRTEngine
from tests.bundles import HIGH_TONE_HZ, LOW_TONE_HZ
from tests.listener.detection.waveforms import silence, sine
from tests.listener.scenes import write_sound
from tests.rigs.mosquitto import Message, Messages, Mosquitto, free_port, subscribe
from tests.rigs.station import StationProcess, running_station
from tests.shared import ROOT
from tests.story.home import unix
from tests.story.judge import Judge, judging
from tests.story.promoter import make_version
from trainer.promotion.models import ModelsDirectory

KILLS = 20
LONGEST_SECONDS = 3.5  # from the beginning of all three to the kill
VERSIONS_OF_A_LIFE = 1_000
TOKEN = "a-token-of-the-kills"
BUNDLE = "earshot/test/bundle"


@dataclass(frozen=True, slots=True)
class Site:
    """What outlives a station: its folder, its broker, and what was promised."""

    folder: Path
    bundle: Bundle
    messages: Messages
    config: dict[str, Any]
    chance: Random
    promised: list[tuple[str, str]] = field(default_factory=list)

    @property
    def clips(self) -> Path:
        return self.folder / "clips"

    @property
    def models(self) -> Path:
        return self.folder / "models"


@pytest.fixture
def site(tones_bundle: Bundle, tmp_path: Path) -> Iterator[Site]:
    seed = int.from_bytes(os.urandom(4))
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    with Mosquitto(tmp_path) as broker, subscribe(broker.port, BUNDLE) as messages:
        config = station_config(tmp_path, broker.port)
        site = Site(tmp_path, tones_bundle, messages, config, Random(seed))
        models = ModelsDirectory(site.models)
        models.promote(make_version(tones_bundle, tmp_path / "first", 1))
        yield site


def station_config(folder: Path, mqtt_port: int) -> dict[str, Any]:
    """Four sources that beep by turns, so that clips are written all the time."""
    (folder / "token").write_text(TOKEN)
    return {
        "station": "test",
        "bundle": folder / "models" / "current",
        "sources": [write_beeps(folder, number) for number in range(4)],
        "mqtt": {"port": mqtt_port},
        "http": {"port": free_port()},
        "control": {"http_token_file": folder / "token"},
        "clips": {"enabled": True, "pre_seconds": 0.1, "post_seconds": 0.1},
        "detection": {"default_policy": {"smoothing_seconds": 0.48}},
    }


def write_beeps(folder: Path, number: int) -> dict[str, Any]:
    rests = silence(0.2 + 0.2 * number), silence(1.4 - 0.2 * number)
    tones = [sine(hz, 0.8, 0.5) for hz in (LOW_TONE_HZ, HIGH_TONE_HZ)]
    loop = np.concatenate([part for tone in tones for part in (rests[0], tone, rests[1])])
    path = write_sound(folder / f"beeps-{number}.wav", loop)
    return {"name": f"room-{number}", "kind": "file", "path": path, "at_end": "restart"}


def test_killed_at_any_moment_nothing_is_torn_or_lost_and_the_next_start_is_good(site: Site):
    for life in range(KILLS):
        live_and_die(site, life)
        check_good_bundle(site)
        assert torn(site.clips) == []
        assert lost(site) == set()
    live_on(site)
    # so that the kills fell into what they were to fall into
    promoted = list(site.models.glob("tones@*"))
    counts = [len(site.promised), len(sidecars(site.clips)), len(promoted)]
    assert min(counts) >= KILLS // 2, counts


def live_and_die(site: Site, life: int) -> None:
    """A station and a promotion, each killed at a random moment of its own."""
    port = site.config["http"]["port"]
    judges = [Judge(port, TOKEN, site.clips, f"room-{number}", site.chance) for number in range(3)]
    with started_station(site) as station, promoter(site, VERSIONS_OF_A_LIFE * (life + 1)) as other:
        with ExitStack() as at_work:
            for judge in judges:
                at_work.enter_context(judging(judge))
            kill_at_random(site.chance, [station.process, other])
        assert "Traceback" not in station.log
    site.promised.extend(said for judge in judges for said in judge.kept)
    assert [reason for judge in judges for reason in judge.refused] == []


@contextmanager
def started_station(site: Site) -> Iterator[StationProcess]:
    """It works, with the bundle that the link leads to."""
    began = time.time()
    with running_station(site.folder, site.config, {"OMP_NUM_THREADS": "1"}) as station:
        station.wait_for_log("station test:", 60.0)
        told = site.messages.wait_for(lambda each: loaded_at(each) > began, 1, 60.0)[0]
        known = json.loads(told.payload)
        assert f"{known['name']}@{known['version']}" == (site.models / "current").readlink().name
        yield station


def loaded_at(announcement: Message) -> float:
    return unix(json.loads(announcement.payload)["loaded_at"])


@contextmanager
def promoter(site: Site, first: int) -> Iterator[subprocess.Popen[str]]:
    """A process that promotes versions from `first` on."""
    program = [sys.executable, "-m", "tests.story.promoter"]
    places = [site.bundle.path, site.models, site.folder / "scratch", first]
    process = subprocess.Popen(
        [*program, *map(str, places)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def kill_at_random(chance: Random, processes: Iterable[subprocess.Popen[Any]]) -> None:
    """SIGKILL to each at a moment of its own; it is a fault when one has ended before."""
    began = time.monotonic()
    moments = [(chance.uniform(0.0, LONGEST_SECONDS), process) for process in processes]
    for moment, process in sorted(moments, key=lambda each: each[0]):
        try:
            process.wait(max(0.0, began + moment - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
        assert process.wait() == -signal.SIGKILL


# --- what must hold after each ------------------------------------------------------------------------


def check_good_bundle(site: Site) -> None:
    """The link leads to a whole bundle that gives its golden scores."""
    bundle = read_bundle((site.models / "current").resolve())
    assert check_golden(bundle, LiteRTEngine(bundle.model_path).infer) < 1e-3


def torn(clips: Path) -> list[str]:
    """What is wrong with the clips that have a sidecar."""
    return [fault for path in sidecars(clips) if (fault := fault_of(path))]


def sidecars(clips: Path) -> list[Path]:
    return [path for day in day_directories(clips) for path in day.glob("*.json")]


def fault_of(sidecar: Path) -> str:
    try:
        record = read_sidecar(sidecar)
        samples, rate_hz = read_audio(record)
        read_analysis(analysis_path(record.path))
    except ClipError as error:
        return str(error)
    wanted = round(record.seconds * rate_hz)
    return "" if len(samples) == wanted else f"{sidecar}: {len(samples)} of {wanted} samples"


def lost(site: Site) -> set[tuple[str, str]]:
    """The verdicts that were taken and are not on the disk."""
    records = [read_sidecar(path) for path in sidecars(site.clips)]
    return set(site.promised) - {(each.id, said.who) for each in records for said in each.verdicts}


def live_on(site: Site) -> None:
    """After all that a station starts, stops, and leaves nothing but whole clips that its index knows."""
    with started_station(site) as station:
        assert station.stop(30) == 0
        assert "Traceback" not in station.log
    assert torn(site.clips) == []
    assert lost(site) == set()
    whole = len(sidecars(site.clips))
    files = [path for day in day_directories(site.clips) for path in day.iterdir()]
    assert len(files) == 3 * whole
    assert not (site.clips / "quarantine").exists()
    store = ClipStore(ClipsSettings(directory=site.clips), site.bundle.labels)
    assert store.totals().clips == whole
    store.close()


def test_a_careless_writer_tears_clips_in_the_same_rig(tmp_path: Path):
    """The negative control: what is written in place is found torn after a few kills."""
    chance = Random(1)
    for _ in range(KILLS):
        command = [sys.executable, "-m", "tests.story.careless_writer", str(tmp_path)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            kill_at_random(chance, [writer])
        if torn(tmp_path):
            return
    raise AssertionError(f"none of {KILLS} kills tore a clip")

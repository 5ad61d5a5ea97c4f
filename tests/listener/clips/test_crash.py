"""kill -9 at any moment tears no clip and loses no verdict."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from listener.clips.layout import day_directories
from listener.detection.clip import read_analysis
from listener.detection.clip_files import analysis_path, read_audio, read_sidecar
from tests.listener.clips.drafts import SLOTS, open_store
from tests.listener.detection.waveforms import RATE_HZ

KILLS = 10
PER_RUN = 1_000  # numbers that a run may use


def run_and_kill(directory: Path, run: int, chance: random.Random) -> list[tuple[str, str]]:
    """The verdicts that were said to be kept before the process died at a random moment."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.listener.clips.adder", str(directory), str(run * PER_RUN)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    lines = [process.stdout.readline() for _ in range(chance.randrange(1, 6))]
    try:
        process.wait(chance.uniform(0.0, 0.05))  # somewhere inside the next clips
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    lines += process.communicate()[0].splitlines()
    assert process.returncode == -signal.SIGKILL
    said = [line.strip().partition(" ") for line in lines]
    return [(clip_id, who) for clip_id, _, who in said]


@pytest.mark.parametrize("seed", [1])
def test_a_killed_process_leaves_whole_clips_and_every_verdict(tmp_path: Path, seed: int):
    chance = random.Random(seed)
    kept: list[tuple[str, str]] = []
    for run in range(KILLS):
        kept += run_and_kill(tmp_path, run, chance)
        store = open_store(tmp_path)
        said = {(r.id, v.who) for r in store.find(limit=PER_RUN) for v in r.verdicts}
        assert set(kept) - said == set()
        store.close()
    assert len(kept) > KILLS
    sidecars = [path for day in day_directories(tmp_path / "clips") for path in day.glob("*.json")]
    for path in sidecars:
        record = read_sidecar(path)
        samples, _ = read_audio(record)
        assert len(samples) == record.seconds * RATE_HZ
        assert len(read_analysis(analysis_path(record.path)).scores) == SLOTS
    files = [path for day in day_directories(tmp_path / "clips") for path in day.iterdir()]
    assert len(files) == 3 * len(sidecars)
    assert not (tmp_path / "clips" / "quarantine").exists()

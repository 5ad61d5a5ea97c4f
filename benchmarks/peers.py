"""The station beside what others do with the same model, the same recordings and the same patch hop."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.audio import cut_windows, read_waveform, write_minutes
from benchmarks.figures import Aim, Figure
from benchmarks.lengths import Lengths
from benchmarks.materials import ROOT, Materials
from benchmarks.station_size import PATCH_HOP_SECONDS, StationSize
from benchmarks.steady import watch_steady
from benchmarks.worker import Worker, running_worker
from listener.detection.bundle import Bundle, read_bundle

log = logging.getLogger(__name__)

PART = "peers"
_UNIT = "core-ms / s of audio"
_FILES = 16
_SIZES = (StationSize(64, 521), StationSize(300, 10))  # as it is by default; as with many cameras
_CAMERAS = 64  # of the TFLite loop, each with an interpreter of its own
_MEDIAPIPE_PYTHON = ROOT / ".venv-mediapipe" / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Peer:
    """A program that is measured beside the station, and how many times cheaper the station should be."""

    what: str
    worker: Worker
    aim: Aim


@dataclass(frozen=True, slots=True)
class _Trial:
    """Costs for a second of audio; those of the peers, by name, are half before and half after."""

    station: float
    peers: dict[str, float]


def measure_peers(materials: Materials, lengths: Lengths, directory: Path) -> list[Figure]:
    """Stations of 64 and 300 sources, each with every peer before and after it."""
    bundle = read_bundle(materials.bundle)
    minutes = write_minutes(directory, materials.recordings, _FILES)
    trials: dict[StationSize, list[_Trial]] = {size: [] for size in _SIZES}
    with _running_peers(materials.yamnet, minutes[0], directory) as peers:
        for repeat in range(lengths.repeats):
            for size in _SIZES:
                log.info("peers: %s, %d of %d", size.what, repeat + 1, lengths.repeats)
                trials[size].append(_try(size, bundle, minutes, peers, lengths))
    return _figures(peers, trials)


@contextmanager
def _running_peers(yamnet: Path, recording: Path, directory: Path) -> Iterator[list[Peer]]:
    model = _make_waveform_model(yamnet, recording, directory)
    with ExitStack() as stack:

        def start(module: str, *arguments: object, python: Path | None = None) -> Worker:
            return stack.enter_context(
                running_worker(f"benchmarks.{module}", *arguments, python=python)
            )

        hub = start("hub_per_window", yamnet, recording)
        cameras = start("tflite_per_window", model, recording, _CAMERAS)
        camera = start("tflite_per_window", model, recording, 1)
        peers = [
            Peer("TF Hub, one call a window", hub, Aim("at least", 6.0)),
            Peer(f"TFLite loop, {_CAMERAS} cameras", cameras, Aim("at least", 1.3)),
            Peer("TFLite loop, one camera", camera, Aim("at least", 1.3)),
        ]
        python = _find_mediapipe()
        if python is not None:
            windows = _write_windows(recording, directory)
            mediapipe = start(
                "mediapipe_per_window", model, windows, PATCH_HOP_SECONDS, python=python
            )
            peers.append(Peer("MediaPipe AudioClassifier", mediapipe, Aim("at least", 1.5)))
        yield peers


def _make_waveform_model(yamnet: Path, recording: Path, directory: Path) -> Path:
    log.info("peers: making YAMNet's TFLite model of waveforms")
    model = directory / "waveform.tflite"
    command = [sys.executable, "-m", "benchmarks.waveform_model"]
    paths = map(str, (yamnet, recording, model))
    subprocess.run([*command, *paths], cwd=ROOT, check=True)
    return model


def _find_mediapipe() -> Path | None:
    """The Python of EARSHOT_MEDIAPIPE, else that of `make peers`; None, and a warning, without."""
    python = Path(os.environ.get("EARSHOT_MEDIAPIPE", _MEDIAPIPE_PYTHON))
    if python.exists():
        return python
    log.warning("peers: no MediaPipe: expected the Python of its environment at %s", python)
    return None


def _write_windows(recording: Path, directory: Path) -> Path:
    path = directory / "windows.npy"
    np.save(path, cut_windows(read_waveform(recording)))
    return path


def _try(
    size: StationSize, bundle: Bundle, minutes: list[Path], peers: list[Peer], lengths: Lengths
) -> _Trial:
    before = [peer.worker.measure(lengths.burst_seconds) for peer in peers]
    plan = size.plan(bundle.path, bundle.labels, minutes)
    settle_seconds = lengths.settle_seconds + size.backlog_seconds
    station = watch_steady(plan, (), settle_seconds, lengths.window_seconds)
    station.check_complete()
    after = [peer.worker.measure(lengths.burst_seconds) for peer in peers]
    means = ((first + last) / 2 for first, last in zip(before, after, strict=True))
    names = (peer.what for peer in peers)
    return _Trial(station.core_ms, dict(zip(names, means, strict=True)))


def _figures(peers: list[Peer], trials: dict[StationSize, list[_Trial]]) -> list[Figure]:
    every = [trial for each in trials.values() for trial in each]
    costs = [
        Figure(PART, peer.what, _UNIT, tuple(trial.peers[peer.what] for trial in every))
        for peer in peers
    ]
    return costs + [figure for size in trials for figure in _ratios(peers, size, trials[size])]


def _ratios(peers: list[Peer], size: StationSize, trials: list[_Trial]) -> list[Figure]:
    what = f"station, {size.sources} sources, {size.labels} labels"
    own = Figure(PART, what, _UNIT, tuple(trial.station for trial in trials))
    return [own] + [
        Figure(
            PART,
            f"{peer.what} / station, {size.sources} sources",
            "x",
            tuple(trial.peers[peer.what] / trial.station for trial in trials),
            peer.aim,
        )
        for peer in peers
    ]

"""`python -m benchmarks.starter [BUNDLE]`: the starter bundle on what it has not learnt from.

ESC-10's fold 5, generated alarms 10 dB over the background, an hour of generated background, and the
processor time of a patch beside YAMNet's. What it does on real speech and music: `benchmarks.world`.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from benchmarks.figures import Aim, Figure
from benchmarks.machine import describe_machine
from benchmarks.materials import Materials, find_materials
from benchmarks.tables import as_table
from listener.detection.bundle import Bundle, read_bundle
from listener.engines.engine import Engine
from listener.engines.litert import LiteRTEngine
from listener.starter import starter_bundle_path
from trainer.starter.evaluate import Counts, measure
from trainer.starter.strips import read_recordings

_TEST_FOLD = 5
_SEED = 1  # not that of the training's own figures
_BATCH, _ROUNDS = 16, 100


def main(
    bundle: Annotated[Path | None, typer.Argument(help="Default: the one that ships.")] = None,
    minutes: Annotated[int, typer.Option(min=1, help="Of alarms, and of background.")] = 60,
    seed: Annotated[int, typer.Option(min=1, help="Of the generated audio.")] = _SEED,
) -> None:
    """Measure a starter bundle and print one table."""
    materials = find_materials()
    starter = read_bundle(bundle or starter_bundle_path())
    figures = [
        *_accuracy(starter, materials, minutes, seed),
        *_speed(starter, materials),
        Figure("size", "all files", "MB", (_megabytes(starter.path),), Aim("at most", 4.5)),
    ]
    Console(width=140).print(as_table(figures, describe_machine()))


def _accuracy(starter: Bundle, materials: Materials, minutes: int, seed: int) -> list[Figure]:
    engine = LiteRTEngine(starter.model_path)
    esc10 = materials.recordings[0].parents[1]
    held_out = [clip for clip in read_recordings(esc10) if clip.fold == _TEST_FOLD]
    columns = {label: column for column, label in enumerate(starter.labels)}
    measured = measure(engine, starter.manifest.policies, held_out, minutes, seed, columns)
    return [
        *_counted("alarms at 10 dB", measured.alarms),
        *_counted("background", measured.background),
        *_counted("ESC-10, fold 5", measured.recordings),
    ]


def _counted(part: str, counts: Counts) -> list[Figure]:
    missed = Figure(
        part, f"missed of {counts.expected}", "", (len(counts.missed),), Aim("at most", 0)
    )
    what = f"false alarms in {counts.seconds / 60:.0f} min {' '.join(counts.false_alarms)}"
    false = Figure(part, what, "", (len(counts.false_alarms),), Aim("at most", 0))
    return [missed, false] if counts.expected else [false]


def _speed(starter: Bundle, materials: Materials) -> list[Figure]:
    engines = {
        "starter": LiteRTEngine(starter.model_path),
        "YAMNet": LiteRTEngine(read_bundle(materials.bundle).model_path),
    }
    aims = {"starter": Aim("at most", 0.3)}
    return [
        Figure(f"LiteRT, batch {_BATCH}", name, "ms a patch", _spend(engine), aims.get(name))
        for name, engine in engines.items()
    ]


def _spend(engine: Engine) -> tuple[float, ...]:
    """Processor time of one patch, milliseconds, in so many rounds."""
    patches = np.random.default_rng(0).normal(-3.0, 2.0, (_BATCH, 96, 64)).astype(np.float32)
    engine.infer(patches)
    return tuple(_spend_once(engine, patches) for _ in range(_ROUNDS))


def _spend_once(engine: Engine, patches: np.ndarray) -> float:
    began = time.process_time()
    engine.infer(patches)
    return (time.process_time() - began) / len(patches) * 1e3


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


if __name__ == "__main__":
    typer.run(main)

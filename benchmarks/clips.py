"""`python -m benchmarks.clips [COUNT]`: how fast a large clip store answers, by itself and over HTTP.

Prints one table. The index and the embeddings are real, the files of the clips are empty: no question
reads them.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.clip_pages import measure_pages
from benchmarks.figures import Aim, Figure
from benchmarks.machine import describe_machine
from benchmarks.tables import as_table
from listener.clips.catalogue import unit
from listener.clips.index import ClipFilter, Entry, Index
from listener.clips.layout import INDEX_DIRECTORY, audio_path, make_private_directory
from listener.clips.store import ClipStore
from listener.config.station import ClipsSettings
from listener.detection.clip import ClipRecord, LabelScore, LabelSpan, Verdict
from listener.detection.clip_files import ANALYSIS_SUFFIX, AUDIO_SUFFIX, SIDECAR_SUFFIX
from listener.detection.event import event_id

_COUNT, _WIDTH, _REPEATS = 100_000, 1024, 9
_BEGAN, _APART_SECONDS = 1_780_000_000.0, 300.0  # a clip in five minutes, for a year
_SOURCES = ("hall", "yard", "barn")
_LABELS = tuple(f"label_{number}" for number in range(50))
_CLIP_BYTES = 200_000
_PORTION = 2_000


def main(count: int) -> None:
    """Build the store, ask, print."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        chance = np.random.default_rng(1)
        _build(directory, count, chance)
        figures = _measure(directory, count, chance)
    Console(width=140).print(as_table(figures, describe_machine()))


def _build(directory: Path, count: int, chance: np.random.Generator) -> None:
    folder = directory / INDEX_DIRECTORY
    folder.mkdir()
    index = Index(folder / "index.sqlite")
    with (folder / f"embeddings-{_WIDTH}.f32").open("wb") as matrix:
        for start in range(0, count, _PORTION):
            vectors = chance.random((_PORTION, _WIDTH), dtype=np.float32)
            np.stack([unit(vector) for vector in vectors]).tofile(matrix)
            with index.changes():
                for number in range(start, min(start + _PORTION, count)):
                    record = _record(directory, number, chance)
                    changed_ns = _touch(record.path, directory)
                    index.put(Entry(record, _CLIP_BYTES, changed_ns, _WIDTH, number))
    index.close()


def _record(directory: Path, number: int, chance: np.random.Generator) -> ClipRecord:
    at = _BEGAN + number * _APART_SECONDS
    source, label = str(chance.choice(_SOURCES)), str(chance.choice(_LABELS))
    score, second = (float(value) for value in chance.random(2))
    clip_id = event_id("bench", source, label, at)
    return ClipRecord(
        clip_id,
        audio_path(directory, clip_id),
        source,
        at,
        6.0,
        "event",
        labels=(LabelSpan(label, 2.0, 4.0),),
        bundle="bench@1",
        score=score,
        on_threshold=0.5,
        top=(LabelScore(label, score), LabelScore(_LABELS[0], second)),
        verdicts=(Verdict("right", "bench", at),) if number % 10 == 0 else (),
    )


def _touch(audio: Path, directory: Path) -> int:
    make_private_directory(audio.parent, directory)
    for suffix in (AUDIO_SUFFIX, ANALYSIS_SUFFIX, SIDECAR_SUFFIX):
        path = audio.with_suffix(suffix)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    return path.stat().st_mtime_ns


def _measure(directory: Path, count: int, chance: np.random.Generator) -> list[Figure]:
    settings = ClipsSettings(directory=directory, keep_megabytes=1e9)
    opening = _milliseconds(lambda: ClipStore(settings, _LABELS).close())
    store = ClipStore(settings, _LABELS)
    newest = store.find(limit=1)[0].id
    middle = store.find(ClipFilter(until=_BEGAN + count / 2 * _APART_SECONDS), limit=1)[0].id
    queries: dict[str, tuple[Callable[[], object], float | None]] = {
        "list, newest 50": (store.find, 100),
        "list, 50 from the middle": (lambda: store.find(after=middle), 100),
        "list, 50 of a label and source": (
            lambda: store.find(ClipFilter(source="hall", label=_LABELS[7])), 100,
        ),
        "list, 50 of a label without a verdict": (
            lambda: store.find(ClipFilter(label=_LABELS[7], verdict="none")), 100,
        ),
        "list, nothing found": (
            lambda: store.find(ClipFilter(reason="ambient", verdict="wrong")), 100,
        ),
        "list, 50 with a verdict, of the first month": (
            lambda: store.find(ClipFilter(verdict="any", until=_BEGAN + 30 * 86_400.0)), 100,
        ),
        "review queue, 50": (store.review_queue, 100),
        "get": (lambda: store.get(newest), None),
        "totals": (store.totals, None),
        "similar to a clip, 20": (lambda: store.similar(newest), 200),
        "similar to an embedding, 20": (
            lambda: store.similar(chance.random(_WIDTH, dtype=np.float32)), 200,
        ),
    }  # fmt: skip
    part = f"{count} clips"
    figures = [Figure(part, "open the store", "ms", opening)]
    for what, (ask, limit) in queries.items():
        aim = None if limit is None else Aim("at most", limit)
        figures.append(Figure(part, what, "ms", _milliseconds(ask), aim))
    figures += measure_pages(store, _LABELS, part)
    store.close()
    return figures


def _milliseconds(ask: Callable[[], object]) -> tuple[float, ...]:
    values = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        ask()
        values.append((time.perf_counter() - began) * 1000)
    return tuple(values)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else _COUNT)

"""`trainer similar`: the stored clips that sound most like one of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import Bundle
from listener.detection.clip import ClipError, ClipRecord, read_analysis
from listener.detection.clip_files import analysis_path
from trainer.clip_search.replay import Change, Comparison
from trainer.data.clip_store import read_store
from trainer.errors import DataError
from trainer.terminal import show_table

log = logging.getLogger(__name__)


Embedding = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A stored clip and the cosine of its mean embedding with the one that was asked for, [-1, 1]."""

    clip: str
    path: str
    source: str
    label: str | None
    verdict: str | None
    captured_at: float
    cosine: float


def find_similar(clip: str, store: Path, count: int) -> tuple[Neighbour, ...]:
    """The nearest clips, nearest first; `clip` is an id or the path of one of the clip's files.

    Clips whose embeddings have another length, of another backbone, are left out and counted in the log.

    Raises:
        DataError: not a clip store, or no such clip, or it has no embeddings.
    """
    records = {record.id: record for record in read_store(store).records}
    name = Path(clip).stem
    if name not in records:
        raise DataError(f"{clip}: expected a clip of {store}, found none of that id")
    wanted = _embedding(records[name])
    if wanted is None:
        raise DataError(f"{clip}: expected a clip with embeddings, it has none")
    others = {
        key: found
        for key, record in records.items()
        if key != name and (found := _embedding(record)) is not None and len(found) == len(wanted)
    }
    log.info("compared with %d of %d other clips", len(others), len(records) - 1)
    if not others:
        return ()
    cosines = cosine(wanted, np.stack(list(others.values())))
    nearest = np.argsort(-cosines, kind="stable")[:count]
    names = list(others)
    return tuple(_neighbour(records[names[n]], float(cosines[n])) for n in nearest)


def cosine(wanted: Embedding, others: Embedding) -> NDArray[np.float32]:
    """Of (D,) with each of (n, D); 0 where a vector is all zeros."""
    lengths = np.linalg.norm(others, axis=1) * np.linalg.norm(wanted)
    products = others @ wanted
    return np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)


def _embedding(record: ClipRecord) -> Embedding | None:
    try:
        return read_analysis(analysis_path(record.path)).mean_embedding
    except ClipError as error:
        log.warning("%s", error)
        return None


def _neighbour(record: ClipRecord, value: float) -> Neighbour:
    return Neighbour(
        record.id,
        str(record.path),
        record.source,
        record.label,
        None if record.verdict is None else record.verdict.value,
        record.captured_at,
        round(value, 4),
    )


# Tables on stderr of what was asked of a clip store.


_CHANGES: tuple[Change, ...] = ("same", "gone", "new")


def show_comparison(found: Comparison, before: Bundle, after: Bundle) -> None:
    """A row for each label that either bundle heard; then what changed, to be listened to."""
    labels = sorted({each.label for each in found.events})
    heads = ("label", "same", f"gone with {after.id}", "new")
    rows = [(label, *(str(found.count(label, change)) for change in _CHANGES)) for label in labels]
    show_table(heads, rows)
    changed = [each for each in found.events if each.change != "same"]
    show_table(
        (f"{before.id} -> {after.id}", "label", "source", "when", "listen", "seconds in it"),
        (
            (
                each.change,
                each.label,
                each.source,
                _time(each.at),
                each.clip,
                f"{each.onset:.1f} to {each.offset:.1f}",
            )
            for each in changed
        ),
    )


def show_neighbours(found: Sequence[Neighbour]) -> None:
    """Nearest first."""
    show_table(
        ("clip", "cosine", "label", "verdict", "source", "when"),
        (
            (
                each.clip,
                f"{each.cosine:.3f}",
                each.label or "",
                each.verdict or "",
                each.source,
                _time(each.captured_at),
            )
            for each in found
        ),
    )


def _time(unix_seconds: float) -> str:
    return datetime.fromtimestamp(unix_seconds, UTC).isoformat(" ", "seconds")

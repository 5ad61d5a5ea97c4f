"""`trainer similar`: the stored clips that sound most like one of them, and tables of search results."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from listener.detection import bundle, clip_files
from listener.detection.clip import ClipError, ClipRecord, read_analysis
from trainer.clip_search.replay import Change, Comparison
from trainer.data.clip_store import read_store
from trainer.errors import DataError
from trainer.terminal import show_table

log = logging.getLogger(__name__)

Embedding = NDArray[np.float32]
_CHANGES: tuple[Change, ...] = ("same", "gone", "new")


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A stored clip, and the cosine of its mean embedding with the query's, in [-1, 1]."""

    clip: str
    path: str
    source: str
    label: str | None
    verdict: str | None
    captured_at: float
    cosine: float


def find_similar(clip: str, store: Path, count: int) -> tuple[Neighbour, ...]:
    """The nearest clips, nearest first; `clip` is an id or the path of one of the clip's files.

    Clips with embeddings of another length, which another backbone made, are left out.

    Raises:
        DataError: not a clip store, no such clip, or it has no embeddings.
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
    names = list(others)
    nearest = np.argsort(-cosines, kind="stable")[:count]
    return tuple(
        Neighbour(
            record.id,
            str(record.path),
            record.source,
            record.label,
            None if record.verdict is None else record.verdict.value,
            record.captured_at,
            round(float(cosines[index]), 4),
        )
        for index, record in ((index, records[names[index]]) for index in nearest)
    )


def cosine(wanted: Embedding, others: Embedding) -> NDArray[np.float32]:
    """The cosine of (D,) with each of (n, D); 0 where a vector is all zeros."""
    lengths = np.linalg.norm(others, axis=1) * np.linalg.norm(wanted)
    products = others @ wanted
    return np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)


def _embedding(record: ClipRecord) -> Embedding | None:
    try:
        return read_analysis(clip_files.analysis_path(record.path)).mean_embedding
    except ClipError as error:
        log.warning("%s", error)
        return None


def show_comparison(found: Comparison, before: bundle.Bundle, after: bundle.Bundle) -> None:
    """Print counts for each label, then what changed and where to listen."""
    labels = sorted({each.label for each in found.events})
    heads = ("label", "same", f"gone with {after.id}", "new")
    rows = [(label, *(str(found.count(label, change)) for change in _CHANGES)) for label in labels]
    show_table(heads, rows)
    changed = [
        (
            each.change,
            each.label,
            each.source,
            _time(each.at),
            each.clip,
            f"{each.onset:.1f} to {each.offset:.1f}",
        )
        for each in found.events
        if each.change != "same"
    ]
    show_table(
        (f"{before.id} -> {after.id}", "label", "source", "when", "listen", "seconds in it"),
        changed,
    )


def show_neighbours(found: Sequence[Neighbour]) -> None:
    """Print the clips, nearest first."""
    rows = [
        (
            each.clip,
            f"{each.cosine:.3f}",
            each.label or "",
            each.verdict or "",
            each.source,
            _time(each.captured_at),
        )
        for each in found
    ]
    show_table(("clip", "cosine", "label", "verdict", "source", "when"), rows)


def _time(unix_seconds: float) -> str:
    return datetime.fromtimestamp(unix_seconds, UTC).isoformat(" ", "seconds")

"""Answers questions about clips: from the index, and from a matrix of embeddings for similar clips."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from listener.clips.index import ClipFilter, Entry, Index, SimilarClip, Totals
from listener.clips.layout import audio_path
from listener.detection import clip_files
from listener.detection.clip import ClipError, ClipRecord, UnknownClipError, read_analysis

_FLOAT_BYTES = 4

Embedding = NDArray[np.float32]


class EmbeddingMatrix:
    """The mean embeddings of all clips, as unit vectors in a file, float32 (rows, D); free rows are NaN.

    float32, because float16 would be converted on every search: 0.2 s instead of 0.03 s for 100 000.
    The file is mapped into memory to read, never to write: a full disk would kill the process (SIGBUS).
    """

    def __init__(self, path: Path, width: int) -> None:
        self._path, self._width = path, width

    def holds(self, rows: int) -> bool:
        """Whether the file has that many rows."""
        return self._path.is_file() and self._path.stat().st_size >= self._offset(rows)

    def _offset(self, row: int) -> int:
        return row * self._width * _FLOAT_BYTES

    def put(self, row: int, embedding: Embedding) -> None:
        """Store the direction of an embedding, float32 (D,), in an existing row or the next one.

        Raises:
            OSError: the disk is full.
        """
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.pwrite(handle, unit(embedding).tobytes(), self._offset(row))
        finally:
            os.close(handle)

    def remove(self, row: int) -> None:
        """Clear a row: no search finds it."""
        self.put(row, np.full(self._width, np.nan, np.float32))

    def _map(self, rows: int) -> NDArray[np.float32]:
        return np.memmap(self._path, np.float32, "r", shape=(rows, self._width))

    def row(self, row: int) -> Embedding:
        """The unit vector of a row, (D,)."""
        return np.array(self._map(row + 1)[row])

    def nearest(self, embedding: Embedding, rows: int, count: int) -> list[tuple[int, float]]:
        """The nearest `count` of the first `rows` and their cosine similarities, nearest first."""
        if rows == 0:
            return []
        similarities = self._map(rows) @ unit(embedding)
        similarities[np.isnan(similarities)] = -np.inf
        first = min(count, rows)
        chosen = np.argpartition(-similarities, first - 1)[:first]
        ordered = chosen[np.argsort(-similarities[chosen], kind="stable")]
        return [(int(row), float(similarities[row])) for row in ordered]


def unit(embedding: Embedding) -> Embedding:
    """The direction of a vector; zeros stay zeros."""
    length = np.linalg.norm(embedding)
    return (embedding / length if length else embedding).astype(np.float32)


class Catalogue:
    """The clips of a store; it can be rebuilt from the sidecars.

    `directory` is that of the store, `folder` that of the matrices. Every method raises ClipError when
    the index cannot be used.
    """

    def __init__(self, directory: Path, folder: Path, index: Index) -> None:
        self._directory, self._folder, self._index = directory, folder, index

    def close(self) -> None:
        """Close the index."""
        self._index.close()

    @property
    def complete(self) -> bool:
        """Whether every embedding in the index has its row."""
        widths = self._index.widths()
        return all(self._matrix(width).holds(self._index.row_count(width)) for width in widths)

    def _matrix(self, width: int) -> EmbeddingMatrix:
        return EmbeddingMatrix(self._folder / f"embeddings-{width}.f32", width)

    def changes_ns(self) -> dict[str, int]:
        """When the sidecar of each clip was changed, ns, by id."""
        return self._index.changes_ns()

    def put(self, records: Iterable[ClipRecord]) -> None:
        """Add or update clips whose files are in place, all or none.

        Raises:
            ClipError: a clip's files cannot be read.
        """
        with self._index.changes():
            for record in records:
                width, row = self._index.row_of(record.id) or (None, None)
                if width is None:
                    embedding = read_analysis(clip_files.analysis_path(record.path)).mean_embedding
                    if embedding is not None:
                        width = len(embedding)
                        row = self._index.reserve_row(width)
                        self._matrix(width).put(row, embedding)
                changed_ns = clip_files.sidecar_path(record.path).stat().st_mtime_ns
                entry = Entry(record, clip_files.clip_bytes(record.path), changed_ns, width, row)
                self._index.put(entry)

    def remove(self, clip_ids: Sequence[str]) -> None:
        """Remove clips from the index."""
        with self._index.changes():
            for clip_id in clip_ids:
                place = self._index.row_of(clip_id)
                self._index.remove(clip_id)
                if place is not None:
                    self._matrix(place[0]).remove(place[1])

    def knows(self, clip_id: str) -> bool:
        """Whether there is a clip of that id."""
        return self._index.record(clip_id) is not None

    def get(self, clip_id: str) -> ClipRecord:
        """A clip.

        Raises:
            UnknownClipError: there is none of that id.
        """
        found = self._index.record(clip_id)
        if found is None:
            raise UnknownClipError(f"expected the id of a stored clip, got {clip_id[:64]!r}")
        return self._record(*found)

    def _record(self, clip_id: str, content: bytes) -> ClipRecord:
        try:
            return clip_files.parse_record(content, audio_path(self._directory, clip_id))
        except ValidationError as error:
            raise ClipError(f"clip {clip_id}: the index holds something else") from error

    def find(self, wanted: ClipFilter, limit: int, after: str | None) -> tuple[ClipRecord, ...]:
        """Clips, newest first."""
        return tuple(self._record(*found) for found in self._index.find(wanted, limit, after))

    def urgent(self, limit: int) -> tuple[ClipRecord, ...]:
        """Clips without a verdict; those from which a verdict teaches most come first."""
        return tuple(self._record(*found) for found in self._index.urgent(limit))

    def oldest(self, *, judged: bool, limit: int, before_ns: int | None = None) -> list[str]:
        """The oldest clips with a verdict or without one; only those stored before `before_ns`."""
        return self._index.oldest(judged=judged, limit=limit, before_ns=before_ns)

    def totals(self) -> Totals:
        """How many clips, verdicts and bytes there are."""
        return self._index.totals()

    def similar_to_clip(self, clip_id: str, count: int) -> tuple[SimilarClip, ...]:
        """The nearest to a clip, without itself; none if it has no embedding.

        Raises:
            UnknownClipError: there is none of that id.
        """
        place = self._index.row_of(self.get(clip_id).id)
        if place is None:
            return ()
        found = self.similar(self._matrix(place[0]).row(place[1]), count + 1)
        return tuple(clip for clip in found if clip.record.id != clip_id)[:count]

    def similar(self, embedding: Embedding, count: int) -> tuple[SimilarClip, ...]:
        """The nearest to an embedding, float32 (D,), among those of its length; nearest first."""
        width = len(embedding)
        rows = self._matrix(width).nearest(embedding, self._index.row_count(width), count)
        ids = self._index.ids_of(width, [row for row, _ in rows])
        return tuple(
            SimilarClip(self.get(ids[row]), similarity) for row, similarity in rows if row in ids
        )

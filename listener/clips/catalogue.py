"""What the store knows of its clips: the index, and the matrix of embeddings beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import ValidationError

from listener.clips.embeddings import Embedding, EmbeddingMatrix
from listener.clips.index import Entry, Index
from listener.clips.layout import audio_path
from listener.clips.queries import ClipFilter, SimilarClip, Totals
from listener.detection.clip import ClipError, ClipRecord, UnknownClipError, read_analysis
from listener.detection.clip_files import (
    analysis_path,
    clip_bytes,
    parse_record,
    sidecar_path,
)


class Catalogue:
    """Answers questions about clips; from the sidecars it can be made again.

    `directory` is the store's, `folder` that of the matrices. Every method raises ClipError when the
    index cannot be used.
    """

    def __init__(self, directory: Path, folder: Path, index: Index) -> None:
        self._directory, self._folder, self._index = directory, folder, index

    def close(self) -> None:
        """Let go of the index."""
        self._index.close()

    @property
    def complete(self) -> bool:
        """Whether every embedding that the index names is there."""
        widths = self._index.widths()
        return all(self._matrix(width).holds(self._index.row_count(width)) for width in widths)

    def _matrix(self, width: int) -> EmbeddingMatrix:
        return EmbeddingMatrix(self._folder / f"embeddings-{width}.f32", width)

    def changes_ns(self) -> dict[str, int]:
        """Every clip and when its sidecar was changed, in nanoseconds."""
        return self._index.changes_ns()

    def put(self, records: Iterable[ClipRecord]) -> None:
        """Take in clips whose files lie in place, new or changed, all or none.

        Raises:
            ClipError: a clip's files cannot be read.
        """
        with self._index.changes():
            for record in records:
                width, row = self._index.row_of(record.id) or self._add_embedding(record)
                changed_ns = sidecar_path(record.path).stat().st_mtime_ns
                entry = Entry(record, clip_bytes(record.path), changed_ns, width, row)
                self._index.put(entry)

    def _add_embedding(self, record: ClipRecord) -> tuple[int, int] | tuple[None, None]:
        embedding = read_analysis(analysis_path(record.path)).mean_embedding
        if embedding is None:
            return None, None
        row = self._index.take_row(len(embedding))
        self._matrix(len(embedding)).put(row, embedding)
        return len(embedding), row

    def remove(self, clip_ids: Sequence[str]) -> None:
        """Forget clips."""
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
            return parse_record(content, audio_path(self._directory, clip_id))
        except ValidationError as error:
            raise ClipError(f"clip {clip_id}: the index holds something else") from error

    def find(self, wanted: ClipFilter, limit: int, after: str | None) -> tuple[ClipRecord, ...]:
        """Clips, newest first."""
        return tuple(self._record(*found) for found in self._index.find(wanted, limit, after))

    def urgent(self, limit: int) -> tuple[ClipRecord, ...]:
        """Clips without a verdict, what teaches most first."""
        return tuple(self._record(*found) for found in self._index.urgent(limit))

    def oldest(self, *, judged: bool, limit: int, before_ns: int | None = None) -> list[str]:
        """The oldest clips with a verdict or without one; only those stored before `before_ns`."""
        return self._index.oldest(judged=judged, limit=limit, before_ns=before_ns)

    def totals(self) -> Totals:
        """How much there is."""
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

"""The clip store: files on disk, an index over them, verdicts, and the disk's reserve."""

import errno
import logging
import re
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace

from listener.clips import catalogue, index, recovery, retention
from listener.clips.layout import audio_path, make_private_directory, only_writer
from listener.clock import SettledClock
from listener.config.station import ClipsSettings
from listener.detection import clip, clip_files
from listener.health import Health

log = logging.getLogger(__name__)

_INDEX_BYTES = 500_000  # what the index may need to remove clips and to add one
_DISK_CHECK_SECONDS = 5.0
_EVERY_CLIP = index.ClipFilter()
_FULL = (errno.ENOSPC, errno.EDQUOT)
_SLUG = re.compile(r"[a-z0-9_-]{1,64}")


class ClipStore:
    """The clips of a station in a directory, for any number of threads and processes.

    `labels` are the labels that a verdict may name, beside new slugs if `settings.new_labels`. Opening
    removes the files of unfinished clips, quarantines unreadable ones, and rebuilds the index if needed.
    Every method raises ClipError with one line when the disk or the index fails; those that write wait
    some seconds for the store's lock, then raise StoreBusyError. `settled_now` is the time by which clips
    become too old, or None (SettledClock).
    """

    def __init__(
        self,
        settings: ClipsSettings,
        labels: Collection[str],
        settled_now: Callable[[], float | None] | None = None,
    ) -> None:
        self._settled_now = settled_now or SettledClock().read
        self._directory, self._new_labels = settings.directory, settings.new_labels
        self.labels = frozenset(labels)
        """Labels that a verdict may name; a new bundle replaces them."""
        with _one_line_errors(f"{self._directory}: cannot be opened"):
            make_private_directory(self._directory, self._directory)
            with only_writer(self._directory):
                self._catalogue = recovery.open_catalogue(self._directory)
        self._retention = retention.Retention(self._directory, self._catalogue, settings)

    def close(self) -> None:
        """Close the index."""
        self._catalogue.close()

    def add(self, draft: clip.ClipDraft) -> clip.ClipRecord:
        """Store a clip, whole or not at all, then apply the limits of age and size.

        A clip that is stored already stays as it is. Older clips go if the disk lacks its reserve.

        Raises:
            ClipError: it cannot be stored.
        """
        path = audio_path(self._directory, draft.record.id)
        record = replace(draft.record, path=path)
        with _one_line_errors(f"clip {record.id}: cannot be stored"), only_writer(self._directory):
            if self._catalogue.knows(record.id):
                return self._catalogue.get(record.id)
            size = 2 * draft.samples.nbytes
            if not self._retention.keep_reserve(size):
                raise OSError(errno.ENOSPC, "the disk lacks clips.keep_free_megabytes")
            self._with_room(size, lambda: self._write(record, draft))
            self._retention.apply(self._settled_now())
        return record

    def _with_room(self, size: int, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            if error.errno not in _FULL or not self._retention.make_room(size + _INDEX_BYTES):
                raise
            write()

    def _write(self, record: clip.ClipRecord, draft: clip.ClipDraft) -> None:
        try:
            make_private_directory(record.path.parent, self._directory)
            clip_files.write_clip(record, draft.samples, draft.sample_rate_hz, draft.analysis)
            self._catalogue.put([record])
        except (OSError, clip.ClipError):
            clip_files.remove_clip(record.path)
            raise

    def judge(self, clip_id: str, verdict: clip.Verdict) -> clip.ClipRecord:
        """Add a verdict to a clip's history; it is on disk when this returns.

        Raises:
            UnknownClipError: there is no clip of that id.
            ClipError: a label that is not allowed, a span outside the clip, a full disk.
        """
        for label in sorted({span.label for span in verdict.labels} - self.labels):
            if not self._new_labels:
                raise clip.ClipError(
                    f"verdict: expected labels of the bundle (or clips.new_labels = true), got {label!r}"
                )
            if not _SLUG.fullmatch(label):
                raise clip.ClipError(
                    f"verdict: expected a label of a-z, 0-9, _ and -, got {label!r}"
                )
        path = audio_path(self._directory, clip_id)
        with _one_line_errors(f"clip {clip_id}: cannot be judged"), only_writer(self._directory):
            if not clip_files.sidecar_path(path).exists():
                raise clip.UnknownClipError(f"expected the id of a stored clip, got {clip_id!r}")
            # from the file, which another process may have changed
            record = clip.with_verdict(
                clip_files.read_sidecar(clip_files.sidecar_path(path)), verdict
            )
            self._with_room(0, lambda: clip_files.write_sidecar(record))
            self._catalogue.put([record])
        return record

    def get(self, clip_id: str) -> clip.ClipRecord:
        """A clip.

        Raises:
            UnknownClipError: there is none of that id.
        """
        return self._catalogue.get(clip_id)

    def analysis(self, clip_id: str) -> clip.ClipAnalysis:
        """The scores and embeddings of a clip.

        Raises:
            UnknownClipError: there is none of that id.
        """
        return clip.read_analysis(clip_files.analysis_path(self._catalogue.get(clip_id).path))

    def find(
        self, wanted: index.ClipFilter = _EVERY_CLIP, limit: int = 50, after: str | None = None
    ) -> tuple[clip.ClipRecord, ...]:
        """Clips, newest first; for the next page, pass the last id of this one as `after`."""
        return self._catalogue.find(wanted, limit, after)

    def review_queue(self, limit: int = 50) -> tuple[clip.ClipRecord, ...]:
        """Clips without a verdict; those from which a verdict teaches most come first."""
        return self._catalogue.urgent(limit)

    def similar(
        self, to: str | catalogue.Embedding, count: int = 20
    ) -> tuple[index.SimilarClip, ...]:
        """The clips with mean embeddings nearest to those of a clip, or to an embedding, float32 (D,).

        Raises:
            UnknownClipError: there is no clip of that id.
        """
        if isinstance(to, str):
            return self._catalogue.similar_to_clip(to, count)
        return self._catalogue.similar(to, count)

    def keep_reserve(self) -> None:
        """Remove clips without a verdict while the disk lacks its reserve, whatever fills it."""
        with (
            _one_line_errors(f"{self._directory}: no room can be made"),
            only_writer(self._directory),
        ):
            self._retention.keep_reserve()

    def free_bytes(self) -> int:
        """Free bytes on the disk of the clips.

        Raises:
            ClipError: the directory is gone.
        """
        with _one_line_errors(f"{self._directory}: the disk cannot be read"):
            return shutil.disk_usage(self._directory).free

    def totals(self) -> index.Totals:
        """How many clips there are, and how many bytes they take."""
        return self._catalogue.totals()


@contextmanager
def _one_line_errors(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise clip.ClipError(f"{what}: {error.strerror or error}") from error


class DiskGuard:
    """Removes clips when something else fills the disk; on a thread that may wait for the store."""

    def __init__(self, store: ClipStore, health: Health) -> None:
        self._store, self._health = store, health
        self._next_at = 0.0  # monotonic
        self._failing = False

    def tick(self) -> None:
        """Check the disk if it is time; a failure is logged once an episode."""
        if time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + _DISK_CHECK_SECONDS
        try:
            self._store.keep_reserve()
            self._health.clips_free_bytes = self._store.free_bytes()
        except clip.ClipError as error:
            if not self._failing:
                log.warning("clips: %s", error)
            self._failing = True
        else:
            self._failing = False

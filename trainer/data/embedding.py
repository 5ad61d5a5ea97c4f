"""A table of clips -> its embeddings, from the cache or made now."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from trainer.data.cache import EmbeddingCache
from trainer.data.clips import ClipTable, Quarantined
from trainer.data.embedded import EmbeddedClip, EmbeddedTable
from trainer.data.embedder import Embedder
from trainer.data.folds import check_copies
from trainer.data.maker import EmbeddingMaker, Job
from trainer.data.preparation import AS_IS, Preparation, digest_file
from trainer.data.quarantine import check_what_is_left, or_quarantined
from trainer.data.workers import map_in_threads

Progress = Callable[[int, int], None]  # clips done, clips in all


def embed_table(
    table: ClipTable,
    backbone: Embedder,
    cache: EmbeddingCache,
    preparation: Preparation = AS_IS,
    progress: Progress | None = None,
) -> EmbeddedTable:
    """The embeddings of every clip, in the cache's keeping; a clip that cannot be used is quarantined.

    Two threads decode, this one runs the backbone. They hold a few clips at a time, however many there
    are.

    Raises:
        DataError: no clip of a class is usable, copies of one clip are in two folds, or the cache cannot
            be written.
        BackboneError: the embeddings are of another shape than the backbone says, or not numbers.
    """
    digests, unreadable = _digest_files(table)
    check_copies(table, digests)
    jobs = [Job(clip, digests[clip.path]) for clip in table.clips if clip.path in digests]
    made: dict[Job, EmbeddedClip] = {}
    left_out = list(unreadable)
    for job, result in EmbeddingMaker(backbone, cache, preparation).make(jobs):
        if isinstance(result, Quarantined):
            left_out.append(result)
        else:
            made[job] = result
        if progress:
            progress(len(made) + len(left_out), len(table.clips))
    clips = tuple(made[job] for job in jobs if job in made)
    check_what_is_left(table.clips, [embedded.clip for embedded in clips], left_out)
    everything_left_out = (*table.quarantined, *left_out)
    return EmbeddedTable(clips, table.classes, everything_left_out, backbone.features, cache)


def _digest_files(table: ClipTable) -> tuple[dict[Path, str], list[Quarantined]]:
    """SHA-256 of every file, and the files that cannot be read."""
    paths = list(dict.fromkeys(clip.path for clip in table.clips))
    digests: dict[Path, str] = {}
    unreadable: list[Quarantined] = []
    for path, result in zip(paths, map_in_threads(_digest_or_quarantine, paths), strict=True):
        if isinstance(result, Quarantined):
            unreadable.append(result)
        else:
            digests[path] = result
    return digests, unreadable


def _digest_or_quarantine(path: Path) -> str | Quarantined:
    return or_quarantined(path, partial(digest_file, path))

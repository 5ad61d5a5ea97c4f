"""The embeddings of a table of clips, from the cache or from the backbone."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from trainer.data.cache import EmbeddingCache, Entry, front_end_digest, make_key
from trainer.data.checks import check_no_class_is_lost, or_quarantined
from trainer.data.clips import Clip, ClipTable, Quarantined
from trainer.data.folds import check_copies
from trainer.data.patches import EmbeddedClip, EmbeddedTable, Embedder
from trainer.data.preparation import AS_IS, Preparation, Prepared, digest_file, prepare
from trainer.errors import BackboneError
from trainer.terminal import Progress

THREADS = 2
BATCH_PATCHES = 64  # of several clips, because one short clip would leave the backbone half idle
_AHEAD = 2 * THREADS  # clips decoded ahead: more would only fill memory

Item = TypeVar("Item")
Result = TypeVar("Result")


def embed_table(
    table: ClipTable,
    backbone: Embedder,
    cache: EmbeddingCache,
    preparation: Preparation = AS_IS,
    progress: Progress | None = None,
) -> EmbeddedTable:
    """The embeddings of every clip, kept in the cache; a clip that cannot be used is quarantined.

    Two threads decode, this one runs the backbone. Only a few clips are in memory at a time.

    Raises:
        DataError: no clip of a class is usable, copies of one clip are in two folds, or the cache cannot
            be written.
        BackboneError: the backbone gives embeddings of the wrong shape, or not finite numbers.
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
    check_no_class_is_lost(table.clips, [embedded.clip for embedded in clips], left_out)
    everything_left_out = (*table.quarantined, *left_out)
    return EmbeddedTable(clips, table.classes, everything_left_out, backbone.features, cache)


def _digest_files(table: ClipTable) -> tuple[dict[Path, str], list[Quarantined]]:
    """SHA-256 of every file, and the files that cannot be read."""
    paths = list(dict.fromkeys(clip.path for clip in table.clips))
    digests: dict[Path, str] = {}
    unreadable: list[Quarantined] = []
    results = map_in_threads(lambda path: or_quarantined(path, partial(digest_file, path)), paths)
    for path, result in zip(paths, results, strict=True):
        if isinstance(result, Quarantined):
            unreadable.append(result)
        else:
            digests[path] = result
    return digests, unreadable


@dataclass(frozen=True, slots=True)
class Job:
    """A clip, and the SHA-256 of its file."""

    clip: Clip
    digest: str


Outcome = tuple[Job, EmbeddedClip | Quarantined]
_Ready = tuple[Job, Prepared]


class EmbeddingMaker:
    """Makes embeddings with one backbone, one cache and one preparation of the waveforms."""

    def __init__(self, backbone: Embedder, cache: EmbeddingCache, preparation: Preparation) -> None:
        self._backbone = backbone
        self._cache = cache
        self._preparation = preparation

    def make(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Each job once: first those that the cache has, then the others, which it stores.

        Raises:
            DataError: the cache cannot be written.
            BackboneError: wrong embeddings.
        """
        missing = []
        for job in jobs:
            entry = self._cache.load(self._key(job))
            if entry and entry.embeddings.shape[1] == self._backbone.embedding_size:
                yield job, self._embedded(job, entry)
            else:
                missing.append(job)
        yield from self._make_missing(missing)

    def _make_missing(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        def prepare_one(job: Job) -> Prepared | Quarantined:
            features = self._backbone.features
            work = partial(prepare, job.clip, features, self._preparation, job.digest)
            return or_quarantined(job.clip.path, work)

        waiting: list[_Ready] = []
        for job, attempt in zip(jobs, map_in_threads(prepare_one, jobs), strict=True):
            if isinstance(attempt, Quarantined):
                yield job, attempt
                continue
            waiting.append((job, attempt))
            if sum(len(prepared.patches) for _, prepared in waiting) >= BATCH_PATCHES:
                yield from self._embed(waiting)
                waiting = []
        yield from self._embed(waiting)

    def _embed(self, ready: Sequence[_Ready]) -> Iterator[Outcome]:
        """The embeddings of the clips, inferred in batches across their boundaries."""
        if not ready:
            return
        patches = np.concatenate([prepared.patches for _, prepared in ready])
        starts = range(0, len(patches), BATCH_PATCHES)
        embeddings = np.concatenate([self._infer(patches[n : n + BATCH_PATCHES]) for n in starts])
        ends = np.cumsum([len(prepared.patches) for _, prepared in ready])
        for (job, prepared), own in zip(ready, np.split(embeddings, ends[:-1]), strict=True):
            entry = Entry(own, prepared.seconds)
            self._cache.store(self._key(job), entry)
            yield job, self._embedded(job, entry)

    def _infer(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        embeddings = self._backbone.embed(patches)
        expected = (len(patches), self._backbone.embedding_size)
        if embeddings.shape != expected or embeddings.dtype != np.float32:
            raise BackboneError(
                f"backbone {self._backbone.id[:12]}: expected embeddings float32 {expected}, "
                f"got {embeddings.dtype} {embeddings.shape}"
            )
        if not np.isfinite(embeddings).all():
            raise BackboneError(
                f"backbone {self._backbone.id[:12]}: expected finite embeddings, some are not"
            )
        return embeddings

    def _embedded(self, job: Job, entry: Entry) -> EmbeddedClip:
        key, count = self._key(job), len(entry.embeddings)
        return EmbeddedClip(job.clip, job.digest, key, count, entry.seconds)

    def _key(self, job: Job) -> str:
        return make_key(
            {
                "audio": job.digest,
                "cut": [job.clip.onset, job.clip.seconds],
                "front end": front_end_digest(),
                "features": asdict(self._backbone.features),
                "backbone": self._backbone.id,
                "preparation": self._preparation.name,
                "seed": self._preparation.seed,
            }
        )


def map_in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`work` of each item, in order; only a few items are started ahead of the consumer.

    An exception in `work` is raised here, and the items still waiting are not started.
    """
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="clips")
    waiting: deque[Future[Result]] = deque()
    # numpy's BLAS starts its own threads for each small product, and these wait for each other: the
    # log-mel of ESC-10 took 31 to 44 s of CPU time with them, and takes 4 s without
    with threadpool_limits(limits=1, user_api="blas"):
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

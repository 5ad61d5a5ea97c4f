"""Embeddings of clips: from the cache, and those that it lacks from the backbone into the cache."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from trainer.data.cache import EmbeddingCache, Entry, make_key
from trainer.data.clips import Clip, Quarantined
from trainer.data.embedded import EmbeddedClip
from trainer.data.embedder import Embedder
from trainer.data.front_end import front_end_digest
from trainer.data.preparation import Preparation, Prepared, prepare
from trainer.data.quarantine import or_quarantined
from trainer.data.workers import map_in_threads
from trainer.errors import BackboneError

BATCH_PATCHES = 64  # of several clips: one short clip would leave the backbone half idle


@dataclass(frozen=True, slots=True)
class Job:
    """A clip, and the SHA-256 of its file."""

    clip: Clip
    digest: str


Outcome = tuple[Job, EmbeddedClip | Quarantined]
_Ready = tuple[Job, Prepared]


class EmbeddingMaker:
    """One backbone, one cache, one way to prepare the waveforms."""

    def __init__(self, backbone: Embedder, cache: EmbeddingCache, preparation: Preparation) -> None:
        self._backbone = backbone
        self._cache = cache
        self._preparation = preparation

    def make(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Each job once: first those that the cache has, then the others, stored as they come.

        Raises:
            DataError: the cache cannot be written.
            BackboneError: wrong embeddings.
        """
        missing = []
        for job in jobs:
            entry = self._load(job)
            if entry is None:
                missing.append(job)
            else:
                yield job, self._embedded(job, entry)
        yield from self._make_missing(missing)

    def _make_missing(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        waiting: list[_Ready] = []
        for job, attempt in zip(jobs, map_in_threads(self._prepare, jobs), strict=True):
            if isinstance(attempt, Quarantined):
                yield job, attempt
                continue
            waiting.append((job, attempt))
            if sum(len(prepared.patches) for _, prepared in waiting) >= BATCH_PATCHES:
                yield from self._embed(waiting)
                waiting = []
        yield from self._embed(waiting)

    def _prepare(self, job: Job) -> Prepared | Quarantined:
        work = partial(prepare, job.clip, self._backbone.features, self._preparation, job.digest)
        return or_quarantined(job.clip.path, work)

    def _embed(self, ready: Sequence[_Ready]) -> Iterator[Outcome]:
        embeddings = self._infer([prepared.patches for _, prepared in ready])
        for (job, prepared), own in zip(ready, embeddings, strict=True):
            entry = Entry(own, prepared.seconds)
            self._cache.store(self._key(job), entry)
            yield job, self._embedded(job, entry)

    def _infer(self, clips: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """The patches of each clip -> their embeddings, in batches that disregard the clips."""
        if not clips:
            return []
        patches = np.concatenate(clips)
        batches = [self._checked(batch) for batch in _batches(patches)]
        return np.split(np.concatenate(batches), np.cumsum([len(clip) for clip in clips])[:-1])

    def _checked(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
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

    def _load(self, job: Job) -> Entry | None:
        entry = self._cache.load(self._key(job))
        return (
            entry if entry and entry.embeddings.shape[1] == self._backbone.embedding_size else None
        )

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


def _batches(patches: NDArray[np.float32]) -> Iterable[NDArray[np.float32]]:
    return (
        patches[start : start + BATCH_PATCHES] for start in range(0, len(patches), BATCH_PATCHES)
    )

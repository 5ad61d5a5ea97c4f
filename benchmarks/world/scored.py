"""Scores of the world's audio by a bundle, in streams as a station hears them."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.world.clips import WorldClip
from listener.detection.audio import Samples
from listener.detection.bundle import Bundle
from trainer.data import audio
from trainer.data.clips import Clip
from trainer.errors import DataError
from trainer.evaluation.scored_file import ScoredFile
from trainer.evaluation.scoring import PatchScorer, open_scorer, score_file

log = logging.getLogger(__name__)

_STREAM_SECONDS = 300.0  # of which a stream of short files consists, about
_PAUSE_SECONDS = 0.5  # of digital silence between two files, as between the prompts of a telephone
_BYTES_PER_SECOND = 16_000.0  # of a file, roughly: it only decides how many files make a stream
_MOST_SECONDS = 600.0  # of one file
_QUIET_DBFS = -70.0  # the hiss before and after a labelled sound
_LEAD_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Stream:
    """Unlabelled audio of a package, scored."""

    package: str
    kind: str
    scored: ScoredFile


class WorldScorer:
    """Scores audio by one bundle; scores are kept in a folder, by the bundle's model and the audio."""

    def __init__(self, bundle: Bundle, cache: Path) -> None:
        self.bundle = bundle
        self._scorer: PatchScorer = open_scorer(bundle)
        digest = hashlib.sha256(bundle.model_path.read_bytes())
        digest.update(repr(bundle.manifest.features).encode())
        self._cache = cache / digest.hexdigest()[:16]
        self._cache.mkdir(parents=True, exist_ok=True)

    def streams(self, clips: Iterable[WorldClip]) -> Iterator[Stream]:
        """The clips of each package one after another, with a pause after each file."""
        for part in _in_streams(clips):
            scored = self._score(part, partial(self._join, part))
            if scored is not None:
                yield Stream(part[0].package, part[0].kind, scored)

    def alone(self, clip: WorldClip) -> ScoredFile | None:
        """One labelled clip in a quiet room; None if it cannot be read."""
        return self._score([clip], partial(self._in_a_quiet_room, clip))

    def _score(self, clips: Sequence[WorldClip], load: Callable[[], Samples]) -> ScoredFile | None:
        names = "\n".join("/".join(clip.path.parts[-4:]) for clip in clips)
        kept = self._cache / f"{hashlib.sha256(names.encode()).hexdigest()[:24]}.npz"
        if kept.exists():
            with np.load(kept) as arrays:
                scores, boundaries = arrays["scores"].astype(np.float32), arrays["boundaries"]
            return ScoredFile(clips[0].path.name, scores, boundaries)
        samples = load()
        if not len(samples):
            return None
        scored = score_file(self._scorer, samples, clips[0].path.name)
        np.savez(kept, scores=scored.scores.astype(np.float16), boundaries=scored.boundaries)
        return scored

    @property
    def _rate_hz(self) -> int:
        return self.bundle.manifest.features.sample_rate_hz

    def _join(self, clips: Sequence[WorldClip]) -> Samples:
        pause = np.zeros(round(_PAUSE_SECONDS * self._rate_hz), np.float32)
        pieces = [piece for clip in clips for piece in (self._read(clip), pause)]
        return np.concatenate(pieces)

    def _in_a_quiet_room(self, clip: WorldClip) -> Samples:
        samples = self._read(clip)
        if not len(samples):
            return samples
        lead = round(_LEAD_SECONDS * self._rate_hz)
        random = np.random.default_rng(0)
        hiss = random.normal(0.0, 10 ** (_QUIET_DBFS / 20), len(samples) + 2 * lead)
        room = hiss.astype(np.float32)
        room[lead : lead + len(samples)] += samples
        return room

    def _read(self, clip: WorldClip) -> Samples:
        cut = Clip(clip.path, frozenset(), clip.path.stem, fold=0, seconds=_MOST_SECONDS)
        try:
            return audio.read_audio(cut, self._rate_hz)
        except DataError as error:
            log.warning("left out: %s", error)
            return np.zeros(0, np.float32)


def _in_streams(clips: Iterable[WorldClip]) -> Iterator[list[WorldClip]]:
    """Runs of a package's files; as many as their sizes suggest make a stream."""
    part: list[WorldClip] = []
    weight = 0.0
    for clip in clips:
        if part and (clip.package != part[0].package or weight > _STREAM_SECONDS):
            yield part
            part, weight = [], 0.0
        part.append(clip)
        weight += clip.path.stat().st_size / _BYTES_PER_SECOND
    if part:
        yield part

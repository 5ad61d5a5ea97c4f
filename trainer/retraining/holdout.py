"""Clips that new labels are judged by from now on: spared from the learning where there are enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from listener.detection.bundle import Bundle
from trainer.data.clips import Clip
from trainer.data.folds import choose_held_out
from trainer.evaluation.selection import digest_files, seen_paths
from trainer.provenance import provenance_of
from trainer.retraining.verdicts import Judged, Verdicts

MOST_CLIPS = 20  # of a new label: 1.2 MB


@dataclass(frozen=True, slots=True)
class Kept:
    """How many clips a new label is judged by; `learnt`: from the same, there were too few to spare any."""

    label: str
    clips: int
    learnt: bool


@dataclass(frozen=True, slots=True)
class Holdout:
    """`judged` are learnt from; `held` hold new labels, to judge them by.

    `spared_files` are the SHA-256 of clips that nothing learns from, those of earlier generations too.
    """

    judged: tuple[Judged, ...]
    held: tuple[Clip, ...]
    kept: tuple[Kept, ...]
    spared_files: frozenset[str]


def spare_some(station: Verdicts, base: Bundle) -> Holdout:
    """A few recordings of each new label are not learnt from; all clips of one that needs them all are.

    Nor is what was spared when a label of the base was new.

    Raises:
        DataError: a clip cannot be read.
    """
    known = seen_paths(base, [each.clip.path for each in station.judged], ("held_files",))
    spared = [each.clip for each in station.judged if each.clip.path in known]
    held: list[Clip] = []
    kept = []
    for label in station.new_labels:
        clips = [each.clip for each in station.judged if label in each.clip.labels]
        groups = choose_held_out({clip.group for clip in clips})
        back = [clip for clip in clips if clip.group in groups]
        chosen = _few(back or clips)
        spared += back
        held += [clip for clip in chosen if clip not in held]
        kept.append(Kept(label, len(chosen), learnt=not back))
    judged = tuple(each for each in station.judged if each.clip not in spared)
    files = frozenset(digest_files([clip.path for clip in spared]))
    before = provenance_of(base.manifest).get("held_files", ())
    return Holdout(judged, tuple(held), tuple(kept), files.union(before))


def _few(clips: Sequence[Clip]) -> Sequence[Clip]:
    return clips[:: -(-len(clips) // MOST_CLIPS)]  # rounded up

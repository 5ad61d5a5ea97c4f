"""Labels that stand for others: picked, grouped and renamed, without bending a score."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import Label
from listener.detection.policy import LabelPolicy


@dataclass(frozen=True, slots=True)
class LabelGroup:
    """A label that is told of in place of its members, labels of the bundle (slugs, at least one)."""

    label: Label
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LabelColumns:
    """Which of the engine's scores each label that is looked for is made of.

    `columns` are those of all members, label after label; `starts` says where in them each label
    begins, None: each has one. A group's score is the highest of its members' and so is always a
    score that the model gave: a sum or a mean would be none.
    """

    columns: NDArray[np.intp]
    starts: NDArray[np.intp] | None = None

    @classmethod
    def of(cls, members: Sequence[Sequence[int]]) -> Self:
        """From the columns of each label, at least one each."""
        sizes = [len(columns) for columns in members]
        columns = np.array([column for group in members for column in group], np.intp)
        if all(size == 1 for size in sizes):
            return cls(columns)
        return cls(columns, np.cumsum([0, *sizes[:-1]], dtype=np.intp))

    def scores_of(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 (B, all labels of the bundle) -> (B, labels that are looked for)."""
        picked = scores[:, self.columns]
        return picked if self.starts is None else np.maximum.reduceat(picked, self.starts, axis=1)


def most_alert(policies: Iterable[LabelPolicy]) -> LabelPolicy:
    """The policy of a group from those of its members: what one of them would tell, it tells.

    The lowest of each value, and the longest gap: what members tell soon after one another is one event.
    """
    members = tuple(policies)
    return LabelPolicy(
        on_threshold=min(member.on_threshold for member in members),
        off_threshold=min(member.off_threshold for member in members),
        smoothing_seconds=min(member.smoothing_seconds for member in members),
        min_duration_seconds=min(member.min_duration_seconds for member in members),
        max_gap_seconds=max(member.max_gap_seconds for member in members),
        refractory_seconds=min(member.refractory_seconds for member in members),
    )


# Where people are heard: labels of which no audio is kept unless somebody asks for it.


SPEECH_LABELS = frozenset(
    {
        "speech",
        "male_speech_man_speaking",
        "female_speech_woman_speaking",
        "child_speech_kid_speaking",
        "conversation",
        "narration_monologue",
        "babbling",
        "shout",
        "bellow",
        "whoop",
        "yell",
        "children_shouting",
        "whispering",
        "singing",
        "child_singing",
        "rapping",
        "chant",
        "chatter",
        "hubbub_speech_noise_speech_babble",
        "children_playing",
    }
)
"""Sounds of AudioSet (research.google.com/audioset/ontology) in which words may be understood, as slugs."""


@dataclass(frozen=True, slots=True)
class PrivateScores:
    """The columns of the engine's scores that are private, and from which score on each is heard."""

    columns: NDArray[np.intp]
    thresholds: NDArray[np.float32]

    def heard(self, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Whether any is heard in each patch: float32 (B, all labels of the bundle) -> (B,)."""
        return np.asarray((scores[:, self.columns] >= self.thresholds).any(axis=1))

"""Which of the engine's scores a station uses: single labels, groups of labels, private labels."""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Self

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import Label
from listener.detection.policy import LabelPolicy

# AudioSet's sounds in which words may be understood (research.google.com/audioset/ontology), as slugs
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


@dataclass(frozen=True, slots=True)
class LabelGroup:
    """A label that stands for its members, labels of the bundle (slugs, at least one)."""

    label: Label
    members: tuple[str, ...]


def read_label_set(name: str) -> dict[str, list[str]]:
    """The groups of a ready set: the names of the members, by the group's slug."""
    text = (files("listener") / "label_sets" / f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@dataclass(frozen=True, slots=True)
class LabelColumns:
    """Which of the engine's scores make the score of each detected label.

    `columns` are those of all members, label by label; `starts` is where in them each label begins, None
    if each has one member. A group's score is the highest of its members' and so a score that the model
    gave, which a sum or a mean would not be.
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
        """float32 (B, all labels of the bundle) -> (B, detected labels)."""
        picked = scores[:, self.columns]
        return picked if self.starts is None else np.maximum.reduceat(picked, self.starts, axis=1)


def most_sensitive(policies: Iterable[LabelPolicy]) -> LabelPolicy:
    """A group's policy, made of its members' policies: where any of them has an event, the group has one.

    Each value is the lowest, but the gap is the longest, so that events of several members soon after one
    another are one event of the group.
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


@dataclass(frozen=True, slots=True)
class PrivateScores:
    """The private columns of the engine's scores, and the score from which each counts as heard."""

    columns: NDArray[np.intp]
    thresholds: NDArray[np.float32]

    def heard(self, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Whether any is heard in each patch: float32 (B, all labels of the bundle) -> bool (B,)."""
        return np.asarray((scores[:, self.columns] >= self.thresholds).any(axis=1))

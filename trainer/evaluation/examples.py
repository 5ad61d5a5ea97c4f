"""Clips that show what a bundle gets right and what it gets wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trainer.data.clips import Clip
from trainer.evaluation.scored_clips import ScoredClip, ScoredTable

MOST_OF_A_KIND = 3


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled clip, and the label with its highest mean score."""

    clip: Clip
    guess: str
    score: float

    @property
    def right(self) -> bool:
        """Whether the guess is one of the clip's labels."""
        return self.guess in self.clip.labels


def choose_examples(table: ScoredTable) -> tuple[Example, ...]:
    """Right ones, then wrong ones: of each the surest, no two of the same labels."""
    labelled = (each for each in table.clips if each.clip.labels)
    surest = sorted((_example(each, table) for each in labelled), key=lambda each: -each.score)
    right = _different(each for each in surest if each.right)
    return (*right, *_different(each for each in surest if not each.right))


def _example(scored: ScoredClip, table: ScoredTable) -> Example:
    means = scored.file.scores.mean(axis=0)
    best = int(means.argmax())
    return Example(scored.clip, table.labels[best], float(means[best]))


def _different(examples: Iterable[Example]) -> list[Example]:
    first: dict[frozenset[str], Example] = {}
    for example in examples:
        first.setdefault(example.clip.labels, example)
    return list(first.values())[:MOST_OF_A_KIND]

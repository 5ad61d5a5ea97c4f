"""What a station would report of the world's audio: events found, missed and false."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.world.scored import Stream
from listener.detection.policy import LabelPolicy
from trainer.evaluation.scored_file import ScoredFile
from trainer.evaluation.scoring import find_spans

Policies = Mapping[str, LabelPolicy]  # in the order of the scores


@dataclass(slots=True)
class FalseEvents:
    """Events by label in audio that has none of the labels, and how long it is."""

    hours: float = 0.0
    events: Counter[str] = field(default_factory=Counter)

    def per_hour(self, labels: Collection[str] | None = None) -> float:
        """Of some labels, all without any named."""
        chosen = self.events if labels is None else {label: self.events[label] for label in labels}
        return sum(chosen.values()) / max(self.hours, 1e-9)


@dataclass(slots=True)
class Recall:
    """How many clips of a label there are, and in how many it had an event."""

    clips: int = 0
    heard: int = 0

    @property
    def share(self) -> float:
        """In [0, 1]; 0 without clips."""
        return self.heard / max(self.clips, 1)


def false_events(
    streams: Iterable[Stream], policies: Policies, hop_seconds: float
) -> dict[str, FalseEvents]:
    """By the kind of audio."""
    found: dict[str, FalseEvents] = {}
    for stream in streams:
        here = found.setdefault(stream.kind, FalseEvents())
        here.hours += stream.scored.seconds / 3600.0
        here.events.update(span.label for span in find_spans(stream.scored, policies, hop_seconds))
    return found


def labels_heard(scored: ScoredFile, policies: Policies, hop_seconds: float) -> set[str]:
    """The labels that have an event in a file."""
    return {span.label for span in find_spans(scored, policies, hop_seconds)}


def recall_by_label(
    clips: Sequence[tuple[str, ScoredFile]], policies: Policies, hop_seconds: float
) -> dict[str, Recall]:
    """Of pairs of a label and a clip in which it is heard; labels without a policy are left out."""
    found: dict[str, Recall] = {}
    for label, scored in clips:
        if label in policies:
            recall = found.setdefault(label, Recall())
            recall.clips += 1
            recall.heard += label in labels_heard(scored, policies, hop_seconds)
    return found

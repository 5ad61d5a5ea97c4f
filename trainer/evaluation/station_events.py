"""StationEvents: what the station would do with clips, in events of the bundle's own policies.

Scores say how sure a network is; a person gets events. A clip is heard when the daemon's detector, with
the policy's median, thresholds and least duration, gives an event of its label anywhere in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from listener.detection.policy import LabelPolicy
from trainer.evaluation import scoring
from trainer.evaluation.clip_metrics import Mask
from trainer.evaluation.operating_points import AlarmRate
from trainer.evaluation.scored_file import ScoredFile

_SECONDS_PER_HOUR = 3600.0

EventCounts = NDArray[np.intp]  # (N, K): events of each label in each clip


@dataclass(frozen=True, slots=True)
class LabelEvents:
    """One label: how many clips hold it, in how many it was heard, and its events in clips without it."""

    label: str
    clips: int
    heard: int
    wrong_events: int


@dataclass(frozen=True, slots=True)
class StationEvents:
    """Events of all labels in so many clips, `backgrounds` of which hold none of the labels.

    `hours` is the length of the clips that are known not to hold some label: an event of that label in
    them is a false alarm. The provenance of a bundle has these fields and properties.
    """

    clips: int
    backgrounds: int
    hours: float
    labels: tuple[LabelEvents, ...]

    @property
    def sounds(self) -> int:
        """Clips of each label, summed: a clip with two labels counts twice."""
        return sum(each.clips for each in self.labels)

    @property
    def heard(self) -> int:
        """Those of the sounds that gave an event of their label."""
        return sum(each.heard for each in self.labels)

    @property
    def recall(self) -> float | None:
        """Share of the sounds that were heard; None where no clip has a label."""
        return self.heard / self.sounds if self.sounds else None

    @property
    def false_alarms(self) -> AlarmRate | None:
        """Of all labels together; None where every clip may hold every label."""
        wrong = sum(each.wrong_events for each in self.labels)
        return AlarmRate(wrong, self.hours) if self.hours else None


def count_events(
    files: Sequence[ScoredFile], policies: Mapping[str, LabelPolicy], patch_hop_seconds: float
) -> EventCounts:
    """The daemon's events in each file, by label; `policies` are in the order of the scores."""
    columns = {label: column for column, label in enumerate(policies)}
    counts = np.zeros((len(files), len(columns)), np.intp)
    for number, file in enumerate(files):
        for span in scoring.find_spans(file, policies, patch_hop_seconds):
            counts[number, columns[span.label]] += 1
    return counts


def judge_events(
    counts: EventCounts,
    files: Sequence[ScoredFile],
    targets: Mask,
    known: Mask,
    labels: Sequence[str],
) -> StationEvents:
    """Events held against what is in the clips; counts, targets and known are (N, K).

    Where it is not known whether a clip holds a label, its events there are neither right nor wrong.
    """
    absent = known & ~targets
    seconds = np.array([file.seconds for file in files])
    return StationEvents(
        clips=len(files),
        backgrounds=int(absent.all(axis=1).sum()),
        hours=float(seconds[absent.any(axis=1)].sum()) / _SECONDS_PER_HOUR,
        labels=tuple(
            LabelEvents(
                label,
                clips=int(targets[:, k].sum()),
                heard=int((counts[targets[:, k], k] > 0).sum()),
                wrong_events=int(counts[absent[:, k], k].sum()),
            )
            for k, label in enumerate(labels)
        ),
    )

"""Near misses: a label's smoothed score rose over its off threshold, but not to its on threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from listener.clips.audio_buffer import AudioBuffer
from listener.detection.policy import LabelPolicy
from listener.detection.scores import Scores


@dataclass(slots=True)
class NearMiss:
    """A time in which a label is over its off threshold; `hit`: it reached the on threshold, so no miss."""

    label: str
    onset: float
    offset: float
    score: float = 0.0  # the highest, smoothed
    hit: bool = False


class NearMissFinder:
    """Smoothed scores, slot after slot -> near misses that ended.

    A near miss ends after `max_seconds` at the latest. A smoothed score belongs to the slot in the middle
    of the label's smoother, which is looked up in `buffer`.
    """

    def __init__(
        self,
        policies: Mapping[str, LabelPolicy],
        patch_hop_seconds: float,
        max_seconds: float,
        buffer: AudioBuffer,
    ) -> None:
        self._labels, self._buffer, self._max_seconds = tuple(policies), buffer, max_seconds
        self.adjust(policies)
        lengths = [p.smoothing_patches(patch_hop_seconds) for p in policies.values()]
        self._delays = [length // 2 for length in lengths]
        self._open: dict[int, NearMiss] = {}

    def adjust(self, policies: Mapping[str, LabelPolicy]) -> None:
        """Use other thresholds from the next slot on."""
        self._on = np.array([p.on_threshold for p in policies.values()], np.float32)
        self._off = np.array([p.off_threshold for p in policies.values()], np.float32)

    def push(self, smoothed: Scores) -> list[NearMiss]:
        """Add the latest smoothed scores, float32 (K,)."""
        over = smoothed >= self._off
        if not self._open and not over.any():
            return []
        for label in np.flatnonzero(over).tolist():
            slot = self._buffer.slot_before(self._delays[label])
            if slot is None:
                continue
            miss = self._open.setdefault(
                label, NearMiss(self._labels[label], slot.onset, slot.offset)
            )
            miss.offset = slot.offset
            miss.score = max(miss.score, float(smoothed[label]))
            miss.hit = miss.hit or bool(smoothed[label] >= self._on[label])
        return self._end(over.tolist())

    def _end(self, over: list[bool]) -> list[NearMiss]:
        """Close those that fell below the off threshold or last too long."""
        ended = []
        for label, miss in list(self._open.items()):
            too_long = not miss.hit and miss.offset - miss.onset >= self._max_seconds
            if over[label] and not too_long:
                continue
            if not miss.hit:
                ended.append(miss)
            if over[label]:  # it goes on, but is not reported again
                self._open[label] = NearMiss(self._labels[label], 0.0, 0.0, hit=True)
            else:
                del self._open[label]
        return ended

    def finish(self) -> list[NearMiss]:
        """The audio ended: all open near misses end."""
        ended = [miss for miss in self._open.values() if not miss.hit]
        self._open.clear()
        return ended

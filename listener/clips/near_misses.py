"""Near misses: a label's smoothed score came over its off threshold, and never to its on threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from listener.clips.audio_buffer import AudioBuffer, BufferSlot
from listener.detection.policy import LabelPolicy
from listener.detection.scores import Scores


@dataclass(slots=True)
class NearMiss:
    """A stretch of a label over its off threshold; `hit`: it came to the on threshold, and is no miss."""

    label: str
    onset: float
    offset: float
    score: float = 0.0  # the highest, smoothed
    hit: bool = False


class NearMissFinder:
    """Smoothed scores, slot after slot -> near misses that ended.

    One that lasts longer than `max_seconds` ends there. The scores of a label are those of the slot that
    its smoother has come to, which is found in `recent`.
    """

    def __init__(
        self,
        policies: Mapping[str, LabelPolicy],
        patch_hop_seconds: float,
        max_seconds: float,
        recent: AudioBuffer,
    ) -> None:
        self._labels, self._recent, self._max_seconds = tuple(policies), recent, max_seconds
        self.adjust(policies)
        lengths = [p.smoothing_patches(patch_hop_seconds) for p in policies.values()]
        self._delays = [length // 2 for length in lengths]
        self._open: dict[int, NearMiss] = {}

    def adjust(self, policies: Mapping[str, LabelPolicy]) -> None:
        """Other thresholds from the next slot on."""
        self._on = np.array([p.on_threshold for p in policies.values()], np.float32)
        self._off = np.array([p.off_threshold for p in policies.values()], np.float32)

    def push(self, smoothed: Scores) -> list[NearMiss]:
        """Take the latest smoothed scores, float32 (K,)."""
        over = smoothed >= self._off
        if not self._open and not over.any():
            return []
        for label in np.flatnonzero(over).tolist():
            slot = self._recent.slot_before(self._delays[label])
            if slot is not None:
                self._extend(label, slot, smoothed)
        ended = [n for n, miss in self._open.items() if not over[n] or self._is_long(miss)]
        return self._end(ended, over)

    def _extend(self, label: int, slot: BufferSlot, smoothed: Scores) -> None:
        miss = self._open.setdefault(label, NearMiss(self._labels[label], slot.onset, slot.offset))
        miss.offset = slot.offset
        miss.score = max(miss.score, float(smoothed[label]))
        miss.hit = miss.hit or bool(smoothed[label] >= self._on[label])

    def _is_long(self, miss: NearMiss) -> bool:
        return not miss.hit and miss.offset - miss.onset >= self._max_seconds

    def _end(
        self, labels: list[int], over: np.ndarray[tuple[int], np.dtype[np.bool_]]
    ) -> list[NearMiss]:
        ended = [self._open[label] for label in labels]
        for label in labels:
            if over[label]:  # it goes on, but is not told of again
                self._open[label] = NearMiss(self._labels[label], 0.0, 0.0, hit=True)
            else:
                del self._open[label]
        return [miss for miss in ended if not miss.hit]

    def finish(self) -> list[NearMiss]:
        """The stretch of audio ended, and so does what is open."""
        ended = [miss for miss in self._open.values() if not miss.hit]
        self._open.clear()
        return ended

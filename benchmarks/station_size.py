"""Stations of many sizes: so many sources, labels and patches a second, all else at its default."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.station_config import StationPlan, file_sources

PATCH_HOP_SECONDS = 0.48
_STATES_A_SECOND_OF_BACKLOG = 8000  # seen: 4 s with 33 000
CHOSEN_LABELS = (
    "smoke_detector_smoke_alarm", "glass", "baby_cry_infant_cry", "dog", "doorbell",
    "siren", "screaming", "gunshot_gunfire", "chainsaw", "knock",
)  # fmt: skip
"""What a person with many cameras might want to hear of."""


@dataclass(frozen=True, slots=True)
class StationSize:
    """`labels` is how many are looked for; the first are `CHOSEN_LABELS`."""

    sources: int
    labels: int
    hop_seconds: float = PATCH_HOP_SECONDS

    @property
    def what(self) -> str:
        """The size in words."""
        sources = "1 source" if self.sources == 1 else f"{self.sources} sources"
        return f"{sources}, {self.labels} labels, hop {self.hop_seconds:g} s"

    @property
    def backlog_seconds(self) -> float:
        """How long after the last first state the events are out that waited behind the states."""
        return self.sources * self.labels / _STATES_A_SECOND_OF_BACKLOG

    def plan(
        self, bundle: Path, bundle_labels: Sequence[str], minutes: Sequence[Path]
    ) -> StationPlan:
        """A station of this size that plays the files in turn."""
        labels = json.dumps(choose_labels(bundle_labels, self.labels))
        detection = f"[detection]\nlabels = {labels}\npatch_hop_seconds = {self.hop_seconds}\n"
        return StationPlan(bundle, file_sources(minutes, self.sources), detection=detection)


def choose_labels(bundle_labels: Sequence[str], count: int) -> list[str]:
    """`count` labels of a bundle, those that people choose first.

    Raises:
        ValueError: the bundle has fewer, or not those.
    """
    unknown = sorted(set(CHOSEN_LABELS) - set(bundle_labels))
    if unknown or count > len(bundle_labels):
        raise ValueError(
            f"expected a bundle of {count} labels or more, among them {', '.join(CHOSEN_LABELS)}; "
            f"got {len(bundle_labels)} without {', '.join(unknown) or 'lacking one'}"
        )
    rest = [label for label in bundle_labels if label not in CHOSEN_LABELS]
    return [*CHOSEN_LABELS, *rest][:count]

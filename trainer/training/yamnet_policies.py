"""The policy of each of YAMNet's labels: measured for the home, by duration class for the others."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import field
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from listener.detection.labels import read_label_set
from listener.detection.policy import DurationClass, LabelPolicy

TABLE = Path(__file__).with_name("yamnet_policies.toml")
_OFF_SHARE = 0.5  # of the on threshold
# Of labels without a threshold of their own. Scores of ESC-10's recordings chose 0.4 with a median of
# 1.44 s: 0.3 gave 69 % of them their own label, 0.4 66 %, 0.5 62 %.
_SMOOTHED_THRESHOLD, _SINGLE_THRESHOLD = 0.4, 0.6
SMOOTHING_SECONDS = {
    DurationClass.IMPULSIVE: 0.0,  # one patch decides: a median would swallow glass, a horn, a bark
    DurationClass.SHORT: 0.72,  # three patches at a hop of 0.24 s, one at 0.48 s
    DurationClass.SUSTAINED: 1.44,
}
_GAP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class YamnetPolicies:
    """The names of AudioSet's classes that are impulsive or short, and thresholds of groups of the home."""

    impulsive: frozenset[str]
    short: frozenset[str]
    home: Mapping[str, float] = field(default_factory=dict)

    def duration_class(self, name: str) -> DurationClass:
        """Of the class with this display name."""
        if name in self.impulsive:
            return DurationClass.IMPULSIVE
        return DurationClass.SHORT if name in self.short else DurationClass.SUSTAINED

    def group_of(self, name: str) -> str | None:
        """The group of the home with a threshold that has the class with this display name."""
        group = _groups_by_member().get(name)
        return group if group in self.home else None

    def policy(self, name: str) -> LabelPolicy:
        """Of the class with this display name."""
        duration = self.duration_class(name)
        threshold = (
            _SMOOTHED_THRESHOLD if duration is DurationClass.SUSTAINED else _SINGLE_THRESHOLD
        )
        group = self.group_of(name)
        if group is not None:
            duration, threshold = DurationClass.SUSTAINED, self.home[group]
        return LabelPolicy(
            on_threshold=threshold,
            off_threshold=round(threshold * _OFF_SHARE, 3),
            smoothing_seconds=SMOOTHING_SECONDS[duration],
            max_gap_seconds=_GAP_SECONDS,
        )


@cache
def _groups_by_member() -> Mapping[str, str]:
    return {name: group for group, members in read_label_set("home").items() for name in members}


def read_yamnet_policies() -> YamnetPolicies:
    """The table that lies beside this module."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return TypeAdapter(YamnetPolicies).validate_python(table)

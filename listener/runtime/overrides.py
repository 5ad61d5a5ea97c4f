"""Mutes and thresholds that people set, and quiet hours: policies change, scores never do."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, time
from pathlib import Path
from typing import Protocol, Self
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

from listener.config.outputs import WEEKDAYS, QuietSettings
from listener.config.settings import Slug, Threshold
from listener.detection.policy import LabelPolicy
from listener.files import read_state, write_state
from listener.pipeline.plan import DetectionPlan, SourcePolicies

_VALUE = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Muting(Protocol):
    """A mute that a person set, or quiet hours of the config."""

    def mutes(self, source: str, label: str) -> bool:
        """Whether it mutes this label on this source."""


@dataclass(frozen=True, slots=True, config=_VALUE)
class ThresholdOverride:
    """Thresholds of a label on a source (None: on all) that replace the policy's.

    If only one is given, the other moves as far as it must.

    Raises:
        ValueError: both are given, and off is over on.
    """

    source: Slug | None
    label: Slug
    on: Threshold | None = None
    off: Threshold | None = None

    def __post_init__(self) -> None:
        if self.on is not None and self.off is not None and self.off > self.on:
            raise ValueError(f"expected off <= on, got {self.off} and {self.on}")

    def applied_to(self, policy: LabelPolicy) -> LabelPolicy:
        """The policy with these thresholds."""
        on = max(policy.on_threshold, self.off or 0.0) if self.on is None else self.on
        off = min(policy.off_threshold, on) if self.off is None else self.off
        return replace(policy, on_threshold=on, off_threshold=off)


@dataclass(frozen=True, slots=True, config=_VALUE)
class MuteOverride:
    """No events of a label on a source until then, unix seconds; None means all."""

    source: Slug | None
    label: Slug | None
    until: float

    def mutes(self, source: str, label: str) -> bool:
        """Whether it mutes this label on this source."""
        return self.source in (None, source) and self.label in (None, label)


@dataclass(frozen=True, slots=True, config=_VALUE)
class Overrides:
    """All thresholds and mutes that people set; a source's own threshold outranks the one for all."""

    thresholds: tuple[ThresholdOverride, ...] = ()
    mutes: tuple[MuteOverride, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Self:
        """The overrides in a file; none if there is no file. A broken file is set aside and logged."""
        return read_state(path, TypeAdapter(cls), cls(), "mutes and thresholds")

    def write(self, path: Path) -> None:
        """Replace the file, whole or not at all; only its owner may read it.

        Raises:
            OSError: it cannot be written; the old file stays.
        """
        write_state(path, TypeAdapter(type(self)), self)

    def with_threshold(self, new: ThresholdOverride) -> Overrides:
        """With this one for its source and label; without numbers it only removes the old one."""
        others = tuple(
            old for old in self.thresholds if (old.source, old.label) != (new.source, new.label)
        )
        removed = new.on is None and new.off is None
        return replace(self, thresholds=others if removed else (*others, new))

    def with_mute(self, new: MuteOverride) -> Overrides:
        """With this mute in place of one with the same source and label."""
        others = [old for old in self.mutes if (old.source, old.label) != (new.source, new.label)]
        return replace(self, mutes=(*others, new))

    def without_mutes(self, source: str | None, label: str | None) -> Overrides:
        """Without the mutes of this source and this label; None means all."""
        kept = [
            old
            for old in self.mutes
            if source not in (None, old.source) or label not in (None, old.label)
        ]
        return replace(self, mutes=tuple(kept))

    def shifted(self, seconds: float) -> Overrides:
        """With mutes that end so much later: the clock was set by that."""
        mutes = tuple(replace(mute, until=mute.until + seconds) for mute in self.mutes)
        return replace(self, mutes=mutes)

    def ending_by(self, latest: float) -> Overrides:
        """With no mute that lasts longer than until then, unix seconds."""
        mutes = tuple(replace(mute, until=min(mute.until, latest)) for mute in self.mutes)
        return replace(self, mutes=mutes)

    def at(self, now: float) -> Overrides:
        """Without the mutes that have ended by then, unix seconds."""
        lasting = tuple(mute for mute in self.mutes if mute.until > now)
        return self if len(lasting) == len(self.mutes) else replace(self, mutes=lasting)

    def applied_to(
        self, plan: DetectionPlan, sources: Iterable[str], quiet: Sequence[Muting] = ()
    ) -> DetectionPlan:
        """The plan with these changes on each source, and `quiet` muted; unknown labels are ignored."""
        # those for all sources first, so that a source's own are applied over them
        thresholds = sorted(self.thresholds, key=lambda threshold: threshold.source is not None)
        mutes: list[Muting] = [*self.mutes, *quiet]
        by_source = {}
        for source in sources:
            policies = dict(plan.policies)
            for threshold in thresholds:
                if threshold.source in (None, source) and threshold.label in policies:
                    policies[threshold.label] = threshold.applied_to(policies[threshold.label])
            muted = [label for label in policies if any(m.mutes(source, label) for m in mutes)]
            by_source[source] = SourcePolicies(policies, frozenset(muted))
        return replace(plan, by_source=by_source)


@dataclasses.dataclass(frozen=True, slots=True)
class QuietHours:
    """From `begin` to `end` in local time; an `end` before `begin` is on the next day.

    `days` are those on which it begins, 0 is Monday; `zone` None is the computer's. `sources` None
    means all. `labels` are those that are muted, or with `but` those that are not.
    """

    begin: time
    end: time
    days: frozenset[int]
    zone: ZoneInfo | None
    sources: frozenset[str] | None
    labels: frozenset[str]
    but: bool

    @classmethod
    def of(cls, settings: QuietSettings) -> Self:
        """The hours of one table of the config."""
        return cls(
            begin=time.fromisoformat(settings.begin),
            end=time.fromisoformat(settings.end),
            days=frozenset(WEEKDAYS.index(day) for day in settings.days),
            zone=None if settings.timezone is None else ZoneInfo(settings.timezone),
            sources=frozenset(settings.sources) or None,
            labels=frozenset(settings.labels or settings.all_but or ()),
            but=settings.labels is None,
        )

    def covers(self, now: float) -> bool:
        """Whether it is quiet at that time, unix seconds."""
        wall = datetime.fromtimestamp(now, self.zone)
        at, day = wall.time(), wall.weekday()
        if self.begin < self.end:
            return self.begin <= at < self.end and day in self.days
        since_yesterday = at < self.end and (day - 1) % len(WEEKDAYS) in self.days
        return since_yesterday or (at >= self.begin and day in self.days)

    def mutes(self, source: str, label: str) -> bool:
        """Whether it mutes this label on this source."""
        covered = self.sources is None or source in self.sources
        return covered and (label in self.labels) != self.but

"""Mutes and thresholds that people set: policies change, scores never do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass as dataclass_quiet
from dataclasses import replace
from datetime import datetime, time
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

from listener.config.outputs import WEEKDAYS, QuietSettings
from listener.config.settings import Slug, Threshold
from listener.detection.policy import LabelPolicy
from listener.files import read_state, write_state
from listener.pipeline.plan import DetectionPlan, SourcePolicies

_VALUE = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True, config=_VALUE)
class ThresholdOverride:
    """Thresholds of a label on a source (None: on all), in place of the policy's.

    Where only one is given, the other one moves as far as it must.

    Raises:
        ValueError: both, and off is over on.
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
    """No events of a label on a source until then, unix seconds; None is every one."""

    source: Slug | None
    label: Slug | None
    until: float

    def mutes(self, source: str, label: str) -> bool:
        """Whether it is about this label of this source."""
        return self.source in (None, source) and self.label in (None, label)


@dataclass(frozen=True, slots=True, config=_VALUE)
class Overrides:
    """All that people have set. A source's own threshold counts more than the one for all."""

    thresholds: tuple[ThresholdOverride, ...] = ()
    mutes: tuple[MuteOverride, ...] = ()

    def with_threshold(self, rule: ThresholdOverride) -> Overrides:
        """One more, in place of one for the same source and label; without both numbers it goes."""
        others = [
            old for old in self.thresholds if (old.source, old.label) != (rule.source, rule.label)
        ]
        kept = others if rule.on is None and rule.off is None else [*others, rule]
        return replace(self, thresholds=tuple(kept))

    def with_mute(self, rule: MuteOverride) -> Overrides:
        """One more, in place of one of the same words."""
        others = [old for old in self.mutes if (old.source, old.label) != (rule.source, rule.label)]
        return replace(self, mutes=(*others, rule))

    def without_mutes(self, source: str | None, label: str | None) -> Overrides:
        """Without those that name this source and this label; None is every one."""
        kept = [
            old
            for old in self.mutes
            if not (source in (None, old.source) and label in (None, old.label))
        ]
        return replace(self, mutes=tuple(kept))

    def at(self, now: float) -> Overrides:
        """Without the mutes that are over at that time, unix seconds."""
        lasting = tuple(rule for rule in self.mutes if rule.until > now)
        return self if len(lasting) == len(self.mutes) else replace(self, mutes=lasting)


class Muting(Protocol):
    """A mute of a person, or hours of the config that are quiet."""

    def mutes(self, source: str, label: str) -> bool:
        """Whether it is about this label of this source."""


def apply_overrides(
    plan: DetectionPlan, rules: Overrides, sources: Iterable[str], quiet: Sequence[Muting] = ()
) -> DetectionPlan:
    """The plan with what the rules change of each source; a label that it has not is passed over.

    `quiet` is what is muted beside the rules.
    """
    by_source = {source: _policies(source, plan.policies, rules, quiet) for source in sources}
    return replace(plan, by_source=by_source)


def _policies(
    source: str, policies: Mapping[str, LabelPolicy], rules: Overrides, quiet: Sequence[Muting]
) -> SourcePolicies:
    chosen = dict(policies)
    # those for all sources first, so that the source's own are applied over them
    for rule in sorted(rules.thresholds, key=lambda rule: rule.source is not None):
        if rule.source in (None, source) and rule.label in chosen:
            chosen[rule.label] = rule.applied_to(chosen[rule.label])
    mutes: list[Muting] = [*rules.mutes, *quiet]
    muted = [label for label in chosen if any(mute.mutes(source, label) for mute in mutes)]
    return SourcePolicies(chosen, frozenset(muted))


# Hours in which labels are muted, day after day.


_DAYS = len(WEEKDAYS)


@dataclass_quiet(frozen=True, slots=True)
class QuietHours:
    """From `begin` to `end` on the clock of the wall; an `end` before it is of the next day.

    `days` are those on which it begins, 0 is Monday; `zone` None is the computer's. `sources` None
    is every one. `labels` are those that are muted, or where `but` is set those that are not.
    """

    begin: time
    end: time
    days: frozenset[int]
    zone: ZoneInfo | None
    sources: frozenset[str] | None
    labels: frozenset[str]
    but: bool

    def covers(self, now: float) -> bool:
        """Whether it is quiet at that time, unix seconds."""
        wall = datetime.fromtimestamp(now, self.zone)
        at, day = wall.time(), wall.weekday()
        if self.begin < self.end:
            return self.begin <= at < self.end and day in self.days
        since_yesterday = at < self.end and (day - 1) % _DAYS in self.days
        return since_yesterday or (at >= self.begin and day in self.days)

    def mutes(self, source: str, label: str) -> bool:
        """Whether it is about this label of this source."""
        meant = self.sources is None or source in self.sources
        return meant and (label in self.labels) != self.but


def quiet_hours(settings: Iterable[QuietSettings]) -> tuple[QuietHours, ...]:
    """The hours of the config."""
    return tuple(_hours(one) for one in settings)


def _hours(settings: QuietSettings) -> QuietHours:
    return QuietHours(
        begin=time.fromisoformat(settings.begin),
        end=time.fromisoformat(settings.end),
        days=frozenset(WEEKDAYS.index(day) for day in settings.days),
        zone=None if settings.timezone is None else ZoneInfo(settings.timezone),
        sources=frozenset(settings.sources) or None,
        labels=frozenset(settings.labels or settings.all_but or ()),
        but=settings.labels is None,
    )


# The rules on disk, so that they are kept over restarts.


_RULES = TypeAdapter(Overrides)


def read_overrides(path: Path) -> Overrides:
    """The rules in a file; none if there is no file. One that is no rules is put aside, and told of."""
    return read_state(path, _RULES, Overrides(), "mutes and thresholds")


def write_overrides(path: Path, rules: Overrides) -> None:
    """Replace the file, whole or not at all; only its owner may read it.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    write_state(path, _RULES, rules)

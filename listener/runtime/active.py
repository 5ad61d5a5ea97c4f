"""What the pipeline works with now: a bundle, and the rules that people set."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from listener.control.commands import CommandError, Mute, SetThreshold, Unmute
from listener.control.dispatcher import Answer
from listener.pipeline.plan import Detection, DetectionPlan
from listener.runtime.overrides import (
    MuteOverride,
    Overrides,
    QuietHours,
    ThresholdOverride,
    apply_overrides,
    write_overrides,
)
from listener.sinks.sink import Notice, OverridesNotice

log = logging.getLogger(__name__)


class PlanReceiver(Protocol):
    """The pipeline."""

    def adopt(self, detection: Detection) -> None:
        """Work with this from the next batch on."""

    def notify(self, notice: Notice) -> None:
        """Hand something to the sinks that did not come out of the sound."""


class ActivePlan:
    """Both halves of what the pipeline works with; on the main thread.

    A change of either one reaches the pipeline with the other one as it is. `quiet` are the hours of the
    config in which labels are muted; they come and go by the clock.
    """

    def __init__(
        self,
        pipeline: PlanReceiver,
        detection: Detection,
        rules: Overrides,
        sources: Sequence[str],
        now: Callable[[], float] = time.time,
        quiet: Sequence[QuietHours] = (),
    ) -> None:
        self._pipeline, self._now = pipeline, now
        self.detection = detection
        self.rules = rules
        self.sources = tuple(sources)
        self._quiet = tuple(quiet)
        self._quiet_now = self._covering()
        if rules == Overrides() and not self._quiet_now:
            self._tell(self.plan)
        else:
            self._adopt()

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that make events."""
        return tuple(self.detection.plan.policies)

    @property
    def plan(self) -> DetectionPlan:
        """The bundle's plan under the rules."""
        rules = self.rules.at(self._now())
        return apply_overrides(self.detection.plan, rules, self.sources, self._quiet_now)

    def _covering(self) -> tuple[QuietHours, ...]:
        now = self._now()
        return tuple(hours for hours in self._quiet if hours.covers(now))

    def take_bundle(self, detection: Detection) -> None:
        """Work with another bundle, under the same rules."""
        self.detection = detection
        self._adopt()

    def take_rules(self, rules: Overrides) -> None:
        """Work under other rules."""
        self.rules = rules
        self._adopt()

    def look(self) -> None:
        """End the mutes whose time is over; begin and end quiet hours."""
        rules, quiet = self.rules.at(self._now()), self._covering()
        if quiet != self._quiet_now:
            log.info("quiet hours: %d of %d now", len(quiet), len(self._quiet))
        elif rules is self.rules:
            return
        self._quiet_now = quiet
        self.take_rules(rules)

    def _adopt(self) -> None:
        plan = self.plan
        self._pipeline.adopt(replace(self.detection, plan=plan))
        self._tell(plan)

    def _tell(self, plan: DetectionPlan) -> None:
        at_work = {source: plan.policies_of(source) for source in self.sources}
        thresholds = {
            source: {label: policy.on_threshold for label, policy in rules.policies.items()}
            for source, rules in at_work.items()
        }
        muted = {source for source, rules in at_work.items() if rules.muted >= set(rules.policies)}
        self._pipeline.notify(OverridesNotice(thresholds, frozenset(muted)))


# Mutes and thresholds as commands set them: checked, kept on disk, brought to the pipeline.


class OverrideCommands:
    """Each change is on disk before it counts; `path` None: nothing is kept."""

    def __init__(
        self, at_work: ActivePlan, path: Path | None, now: Callable[[], float] = time.time
    ) -> None:
        self._at_work, self._path, self._now = at_work, path, now

    def mute(self, command: Mute) -> Answer:
        """No events for so long; says until when, unix seconds.

        Raises:
            CommandError: there is no such source or label, or the disk fails.
        """
        self._check(command.source, command.label)
        until = self._now() + command.seconds
        self._take(
            self._at_work.rules.with_mute(MuteOverride(command.source, command.label, until))
        )
        return {"until": round(until, 3)}

    def unmute(self, command: Unmute) -> Answer:
        """Events again; says how many mutes have ended.

        Raises:
            CommandError: there is no such source or label, or the disk fails.
        """
        self._check(command.source, command.label)
        rules = self._at_work.rules
        left = rules.without_mutes(command.source, command.label)
        self._take(left)
        return {"ended": len(rules.mutes) - len(left.mutes)}

    def set_threshold(self, command: SetThreshold) -> Answer:
        """Other thresholds; says those that count now on each source that is meant.

        Raises:
            CommandError: there is no such source or label, off is over on, or the disk fails.
        """
        self._check(command.source, command.label)
        try:
            rule = ThresholdOverride(command.source, command.label, command.on, command.off)
        except ValidationError as error:
            message = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise CommandError(f"threshold: {message}") from error
        self._take(self._at_work.rules.with_threshold(rule))
        return {"thresholds": self._thresholds(command)}

    def _thresholds(self, command: SetThreshold) -> Answer:
        plan = self._at_work.plan
        meant = [name for name in self._at_work.sources if command.source in (None, name)]
        policies = {name: plan.policies_of(name).policies[command.label] for name in meant}
        return {
            name: {"on": policy.on_threshold, "off": policy.off_threshold}
            for name, policy in policies.items()
        }

    def _check(self, source: str | None, label: str | None) -> None:
        at_work = self._at_work
        if source is not None and source not in at_work.sources:
            raise CommandError(f"source: expected {', '.join(at_work.sources)}, got {source!r}")
        if label is not None and label not in at_work.labels:
            raise CommandError(f"label: {at_work.detection.plan.bundle} has no label {label!r}")

    def _take(self, rules: Overrides) -> None:
        rules = rules.at(self._now())
        if self._path is not None:
            try:
                write_overrides(self._path, rules)
            except OSError as error:
                raise CommandError(f"{self._path}: cannot be written: {error.strerror}") from error
        self._at_work.take_rules(rules)

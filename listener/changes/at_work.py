"""What the pipeline works with now: a bundle, and the rules that people set."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from listener.changes.quiet import QuietHours
from listener.changes.rules import Rules, apply_rules
from listener.pipeline.plan import Detection, DetectionPlan
from listener.sinks.sink import Notice, RulesNotice

log = logging.getLogger(__name__)


class Adopter(Protocol):
    """The pipeline."""

    def adopt(self, detection: Detection) -> None:
        """Work with this from the next batch on."""

    def tell(self, notice: Notice) -> None:
        """Hand something to the sinks that did not come out of the sound."""


class AtWork:
    """Both halves of what the pipeline works with; on the main thread.

    A change of either one reaches the pipeline with the other one as it is. `quiet` are the hours of the
    config in which labels are muted; they come and go by the clock.
    """

    def __init__(
        self,
        pipeline: Adopter,
        detection: Detection,
        rules: Rules,
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
        if rules == Rules() and not self._quiet_now:
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
        return apply_rules(self.detection.plan, rules, self.sources, self._quiet_now)

    def _covering(self) -> tuple[QuietHours, ...]:
        now = self._now()
        return tuple(hours for hours in self._quiet if hours.covers(now))

    def take_bundle(self, detection: Detection) -> None:
        """Work with another bundle, under the same rules."""
        self.detection = detection
        self._adopt()

    def take_rules(self, rules: Rules) -> None:
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
        self._pipeline.tell(RulesNotice(thresholds, frozenset(muted)))

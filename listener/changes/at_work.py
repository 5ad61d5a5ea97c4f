"""What the pipeline works with now: a bundle, and the rules that people set."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from listener.changes.rules import Rules, apply_rules
from listener.pipeline.plan import Detection, DetectionPlan


class Adopter(Protocol):
    """The pipeline."""

    def adopt(self, detection: Detection) -> None:
        """Work with this from the next batch on."""


class AtWork:
    """Both halves of what the pipeline works with; on the main thread.

    A change of either one reaches the pipeline with the other one as it is.
    """

    def __init__(
        self,
        pipeline: Adopter,
        detection: Detection,
        rules: Rules,
        sources: Sequence[str],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._pipeline, self._now = pipeline, now
        self.detection = detection
        self.rules = rules
        self.sources = tuple(sources)
        if rules != Rules():
            self._adopt()

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that make events."""
        return tuple(self.detection.plan.policies)

    @property
    def plan(self) -> DetectionPlan:
        """The bundle's plan under the rules."""
        rules = self.rules.at(self._now())
        return apply_rules(self.detection.plan, rules, self.sources)

    def take_bundle(self, detection: Detection) -> None:
        """Work with another bundle, under the same rules."""
        self.detection = detection
        self._adopt()

    def take_rules(self, rules: Rules) -> None:
        """Work under other rules."""
        self.rules = rules
        self._adopt()

    def look(self) -> None:
        """End the mutes whose time is over."""
        rules = self.rules.at(self._now())
        if rules is not self.rules:
            self.take_rules(rules)

    def _adopt(self) -> None:
        self._pipeline.adopt(replace(self.detection, plan=self.plan))

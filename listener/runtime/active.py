"""The plan that the pipeline works with: a bundle under the overrides that people set."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from listener.control.commands import MAX_MUTE_SECONDS, CommandError, Mute, SetThreshold, Unmute
from listener.control.dispatcher import Answer
from listener.pipeline.plan import Detection, DetectionPlan
from listener.runtime.overrides import MuteOverride, Overrides, QuietHours, ThresholdOverride
from listener.sinks.sink import Notice, OverridesNotice
from listener.sources.source import STEP_SECONDS, unix_minus_monotonic
from listener.validation import first_problem

log = logging.getLogger(__name__)


class PlanReceiver(Protocol):
    """The pipeline."""

    def adopt(self, detection: Detection) -> None:
        """Work with this from the next batch on."""

    def notify(self, notice: Notice) -> None:
        """Hand the sinks a notice that does not come from the audio."""


class ActivePlan:
    """The active bundle and the overrides; when one changes, the pipeline receives both.

    `quiet` are the hours of the config in which labels are muted; they start and end by the clock. All
    on the thread of the commands.
    """

    def __init__(
        self,
        pipeline: PlanReceiver,
        detection: Detection,
        overrides: Overrides,
        sources: Sequence[str],
        now: Callable[[], float] = time.time,
        quiet: Sequence[QuietHours] = (),
        clock_offset: Callable[[], float] = unix_minus_monotonic,
    ) -> None:
        self._pipeline, self._now, self._clock_offset = pipeline, now, clock_offset
        self._offset = clock_offset()
        self.detection = detection
        # the clock may have been set back since they were stored
        self.overrides = overrides.ending_by(now() + MAX_MUTE_SECONDS)
        self.clock_was_set: Callable[[Overrides], None] = lambda _: None
        """Called with the overrides when their mutes have followed a step of the clock."""
        self.sources = tuple(sources)
        self._quiet = tuple(quiet)
        self._quiet_now = self._current_quiet()
        if overrides == Overrides() and not self._quiet_now:
            self._notify(self.plan)
        else:
            self._apply()

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that make events."""
        return tuple(self.detection.plan.policies)

    @property
    def plan(self) -> DetectionPlan:
        """The bundle's plan under the overrides."""
        overrides = self.overrides.at(self.now())
        return overrides.applied_to(self.detection.plan, self.sources, self._quiet_now)

    def now(self) -> float:
        """Unix seconds; mutes follow a clock that was set, so that they last as long as they should."""
        before, self._offset = self._offset, self._clock_offset()
        step = self._offset - before
        if abs(step) > STEP_SECONDS and self.overrides.mutes:
            log.info("mutes: they follow the clock, which was set by %+.1f s", step)
            self.overrides = self.overrides.shifted(step)
            self.clock_was_set(self.overrides)
        return self._now()

    def use_bundle(self, detection: Detection) -> None:
        """Work with another bundle under the same overrides."""
        self.detection = detection
        self._apply()

    def use_overrides(self, overrides: Overrides) -> None:
        """Work under other overrides."""
        self.overrides = overrides
        self._apply()

    def tick(self) -> None:
        """End the mutes whose time is over; start and end quiet hours."""
        now = self.now()  # before the mutes are read, which follow the clock here
        overrides, quiet = self.overrides.at(now), self._current_quiet()
        if quiet != self._quiet_now:
            log.info("quiet hours: %d of %d now", len(quiet), len(self._quiet))
        elif overrides is self.overrides:
            return
        self._quiet_now = quiet
        self.use_overrides(overrides)

    def _current_quiet(self) -> tuple[QuietHours, ...]:
        now = self._now()
        return tuple(hours for hours in self._quiet if hours.covers(now))

    def _apply(self) -> None:
        plan = self.plan
        self._pipeline.adopt(replace(self.detection, plan=plan))
        self._notify(plan)

    def _notify(self, plan: DetectionPlan) -> None:
        active = {source: plan.policies_of(source) for source in self.sources}
        thresholds = {
            source: {label: policy.on_threshold for label, policy in chosen.policies.items()}
            for source, chosen in active.items()
        }
        muted = {
            source for source, chosen in active.items() if chosen.muted >= set(chosen.policies)
        }
        self._pipeline.notify(OverridesNotice(thresholds, frozenset(muted)))


class OverrideCommands:
    """Mutes and thresholds by command: checked, stored on disk, then applied.

    `path` None: they are not stored.
    """

    def __init__(self, active_plan: ActivePlan, path: Path | None) -> None:
        self._active_plan, self._path = active_plan, path
        active_plan.clock_was_set = self._keep

    def mute(self, command: Mute) -> Answer:
        """Make no events for a while; until when, unix seconds.

        Raises:
            CommandError: there is no such source or label, or the disk fails.
        """
        self._check(command.source, command.label)
        until = self._active_plan.now() + command.seconds
        mute = MuteOverride(command.source, command.label, until)
        self._store(self._active_plan.overrides.with_mute(mute))
        return {"until": round(until, 3)}

    def unmute(self, command: Unmute) -> Answer:
        """Make events again; how many mutes ended.

        Raises:
            CommandError: there is no such source or label, or the disk fails.
        """
        self._check(command.source, command.label)
        before = self._active_plan.overrides
        after = before.without_mutes(command.source, command.label)
        self._store(after)
        return {"ended": len(before.mutes) - len(after.mutes)}

    def set_threshold(self, command: SetThreshold) -> Answer:
        """Set the thresholds of a label; those that apply now on each source concerned.

        Raises:
            CommandError: there is no such source or label, off is over on, or the disk fails.
        """
        self._check(command.source, command.label)
        try:
            threshold = ThresholdOverride(command.source, command.label, command.on, command.off)
        except ValidationError as error:
            raise CommandError(f"threshold: {first_problem(error).message}") from error
        active = self._active_plan
        self._store(active.overrides.with_threshold(threshold))
        plan = active.plan
        policies = {
            source: plan.policies_of(source).policies[command.label]
            for source in active.sources
            if command.source in (None, source)
        }
        return {
            "thresholds": {
                source: {"on": policy.on_threshold, "off": policy.off_threshold}
                for source, policy in policies.items()
            }
        }

    def _check(self, source: str | None, label: str | None) -> None:
        active = self._active_plan
        if source is not None and source not in active.sources:
            raise CommandError(f"source: expected {', '.join(active.sources)}, got {source!r}")
        if label is not None and label not in active.labels:
            raise CommandError(f"label: {active.detection.plan.bundle} has no label {label!r}")

    def _store(self, overrides: Overrides) -> None:
        overrides = overrides.at(self._active_plan.now())
        try:
            self._write(overrides)
        except OSError as error:
            raise CommandError(f"{self._path}: cannot be written: {error.strerror}") from error
        self._active_plan.use_overrides(overrides)

    def _keep(self, overrides: Overrides) -> None:
        try:
            self._write(overrides)
        except OSError as error:  # they end in time, unless the station starts again before
            log.warning("%s: cannot be written: %s", self._path, error.strerror)

    def _write(self, overrides: Overrides) -> None:
        if self._path is not None:
            overrides.write(self._path)

"""Swaps the bundle of a running station: checked beside the active one, taken, watched, rolled back."""

from __future__ import annotations

import logging
import math
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from listener.config.station import ConfigError, ControlSettings
from listener.control import commands, dispatcher
from listener.detection.bundle import BundleError
from listener.engines.engine import EngineError
from listener.health import Health
from listener.pipeline.plan import Detection
from listener.runtime.active import ActivePlan

log = logging.getLogger(__name__)

_HOUR_SECONDS, _DAY_SECONDS = 3600.0, 86_400.0
_LEAST_RATE_SECONDS = 60.0  # the shortest time that gives a rate
_SAMPLE_SECONDS = 60.0  # between the totals that a probation keeps
_CHECK_SECONDS = 2.0  # between checks; the totals of 64 sources and 521 labels take 5 ms

Load = Callable[[Path], Detection]
"""Opens the bundle in a directory with all checks; raises BundleError, ConfigError or EngineError."""
PublishRefusal = Callable[[str | None, Path, str], None]
"""Publishes a refused bundle (None: unknown), its path and the reason; an empty reason clears it."""


@dataclass(frozen=True, slots=True)
class _BundleRun:
    """A bundle in use: its directory, its start (monotonic seconds) and the event totals then."""

    detection: Detection
    path: Path
    started_at: float
    totals: Counter[str]


class HotSwap:
    """Swaps the bundle on command, or when the config's path points to another one.

    Under a `rollback_factor` the previous bundle stays in memory for a day. All on one thread, but for
    `reload_requested`, which any thread may set for the next tick.
    """

    def __init__(
        self,
        active_plan: ActivePlan,
        path: BundlePath,
        load: Load,
        health: Health,
        settings: ControlSettings,
        publish_refusal: PublishRefusal,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._active_plan, self._path, self._load, self._health = active_plan, path, load, health
        self._settings, self._publish_refusal, self._now = settings, publish_refusal, now
        self.reload_requested = False
        self._current = _BundleRun(active_plan.detection, path.target, now(), event_totals(health))
        self._previous: _BundleRun | None = None
        self._probation: Probation | None = None
        self._checked_at = -math.inf
        self._clear_refusal()  # one of an earlier process may be retained

    def reload(self) -> dispatcher.Answer:
        """Read the bundle of the config again; which one it is, and whether it changed.

        Raises:
            CommandError: it cannot be used; the active one stays.
        """
        try:
            path = self._path.resolve()
            detection = self._load(path)
            _check_compatible(self._current.detection, detection)
        except (BundleError, ConfigError, EngineError) as error:
            reason = " ".join(str(error).split())
            self._refuse(None, self._path.target, reason, "refused")
            raise commands.CommandError(f"reload: {reason}") from error
        self._clear_refusal()
        known = self._current.path, self._current.detection.manifest
        changed = (path, detection.manifest) != known
        if changed:
            self._start(_BundleRun(detection, path, self._now(), event_totals(self._health)))
            self._health.bundle_switches["taken"] += 1
            log.info("bundle %s: now active, from %s", detection.plan.bundle, path)
        return {"bundle": self._current.detection.plan.bundle, "changed": changed}

    def tick(self) -> None:
        """Follow the path if it points elsewhere, or if asked to; check the bundle on probation."""
        if self._path.has_moved() or self.reload_requested:
            self.reload_requested = False
            with suppress(commands.CommandError):  # logged, counted and published by `reload`
                self.reload()
            return
        now = self._now()
        if self._probation is None or now - self._checked_at < _CHECK_SECONDS:
            return
        self._checked_at = now
        jump = self._probation.check(now, event_totals(self._health))
        if jump is not None and self._previous is not None:
            self._roll_back(self._previous, jump)
        elif self._probation.is_over(now):
            self._probation = self._previous = None

    def _start(self, run: _BundleRun) -> None:
        previous, self._current = self._current, run
        self._active_plan.use_bundle(run.detection)
        if self._settings.rollback_factor is None:
            return
        self._previous = previous
        seconds = run.started_at - previous.started_at
        self._probation = Probation(
            rates_per_hour(previous.totals, run.totals, seconds),
            run.started_at,
            run.totals,
            factor=self._settings.rollback_factor,
            least_events=self._settings.rollback_least_events,
        )

    def _roll_back(self, to: _BundleRun, jump: RateJump) -> None:
        failed, self._probation, self._previous = self._current, None, None
        self._current = _BundleRun(to.detection, to.path, self._now(), event_totals(self._health))
        self._active_plan.use_bundle(to.detection)
        repointed = self._path.point_to(to.path)
        where = "" if repointed else "; the path of the config still points to it"
        reason = f"rolled back to {to.detection.plan.bundle}: {jump}{where}"
        self._refuse(failed.detection.plan.bundle, failed.path, reason, "rolled_back")

    def _refuse(self, bundle: str | None, path: Path, reason: str, result: str) -> None:
        self._health.bundle_switches[result] += 1
        self._health.bundle_refused = True
        log.warning("bundle %s: %s", bundle or path, reason)
        self._publish_refusal(bundle, path, reason)

    def _clear_refusal(self) -> None:
        self._health.bundle_refused = False
        self._publish_refusal(None, self._path.target, "")


def _check_compatible(active: Detection, new: Detection) -> None:
    # sources resample to the active rate, and their queues hold chunks at that rate
    rate, wanted = active.plan.params.sample_rate_hz, new.plan.params.sample_rate_hz
    if rate != wanted:
        raise BundleError(
            f"{new.plan.bundle}: expected {rate} Hz, like the active bundle, got {wanted}: "
            "restart the station"
        )
    # a ready set leaves out the sounds that a bundle lacks: a person reads so at a start, not at a swap
    missing = sorted(_group_members(active) - _group_members(new))
    if missing:
        names = ", ".join(f"{member} of {group}" for group, member in missing)
        raise BundleError(
            f"{new.plan.bundle}: expected every sound of the active groups, it lacks {names}"
        )


def _group_members(detection: Detection) -> set[tuple[str, str]]:
    groups = detection.plan.groups
    return {(group.label.slug, member) for group in groups for member in group.members}


class BundlePath:
    """The config's path to the bundle: a directory, or a link to one in a models directory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.target = path.resolve()
        """The directory that it pointed to when it was last read."""

    def has_moved(self) -> bool:
        """Whether it points elsewhere since the last call; a dangling link is ignored."""
        target = self._path.resolve()
        if target == self.target or not target.exists():
            return False
        self.target = target
        return True

    def resolve(self) -> Path:
        """The directory that it points to now.

        Raises:
            BundleError: a link that points outside its own directory. A model is a program.
        """
        self.target = self._path.resolve()
        models = self._path.parent.resolve()
        if self._path.is_symlink() and not self.target.is_relative_to(models):
            raise BundleError(
                f"{self._path}: expected a link to a bundle in {models}, got {self.target}"
            )
        return self.target

    def point_to(self, bundle: Path) -> bool:
        """Point the link to that directory; False if it is no link or cannot be changed."""
        if not self._path.is_symlink():
            return False
        partial = self._path.with_name(f".{self._path.name}.{os.getpid()}.partial")
        try:
            partial.unlink(missing_ok=True)
            partial.symlink_to(os.path.relpath(bundle, self._path.parent.resolve()))
            partial.replace(self._path)
        except OSError:
            return False
        self.target = self._path.resolve()
        return True


@dataclass(frozen=True, slots=True)
class RateJump:
    """A label with too many events in the last hour; `before` is its events an hour before the swap."""

    label: str
    events: int
    before: float

    def __str__(self) -> str:
        return f"{self.label}: {self.events} events in an hour, {self.before:.1f} before"


class Probation:
    """The first day of a bundle; times are monotonic seconds, totals the events begun by label.

    Only labels of the previous bundle are checked: `per_hour_before`. A label jumps when an hour has at
    least `least_events` and more than `factor` times the events of an hour before.
    """

    def __init__(
        self,
        per_hour_before: Mapping[str, float],
        started_at: float,
        totals: Mapping[str, int],
        *,
        factor: float,
        least_events: int,
    ) -> None:
        self._before, self._started_at = per_hour_before, started_at
        self._factor, self._least_events = factor, least_events
        # totals of the last hour, one a minute; the first are those at the start of the hour
        self._hour: deque[tuple[float, Mapping[str, int]]] = deque([(started_at, totals)])

    def is_over(self, now: float) -> bool:
        """Whether the day has passed."""
        return now - self._started_at > _DAY_SECONDS

    def check(self, now: float, totals: Mapping[str, int]) -> RateJump | None:
        """The label that jumps most, if any does."""
        while len(self._hour) > 1 and now - self._hour[1][0] >= _HOUR_SECONDS:
            self._hour.popleft()
        if now - self._hour[-1][0] >= _SAMPLE_SECONDS:
            self._hour.append((now, totals))
        _, earlier = self._hour[0]
        counts = {label: totals.get(label, 0) - earlier.get(label, 0) for label in self._before}
        jumps = [
            RateJump(label, events, self._before[label])
            for label, events in counts.items()
            if events >= self._least_events and events > self._before[label] * self._factor
        ]
        return max(jumps, key=lambda jump: jump.events, default=None)


def rates_per_hour(
    earlier: Mapping[str, int], totals: Mapping[str, int], seconds: float
) -> dict[str, float]:
    """Events per hour and label, from two totals that many seconds apart."""
    hours = max(seconds, _LEAST_RATE_SECONDS) / _HOUR_SECONDS
    return {label: (count - earlier.get(label, 0)) / hours for label, count in totals.items()}


def event_totals(health: Health) -> Counter[str]:
    """The events that began on all sources, by label."""
    totals: Counter[str] = Counter()
    for source in health.sources.copy().values():
        counts = source.by_label
        totals.update(dict(zip(counts.labels, counts.events.tolist(), strict=True)))
    return totals

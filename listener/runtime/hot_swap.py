"""Another bundle while the station runs: checked beside the one at work, taken, judged, given up."""

from __future__ import annotations

import logging
import math
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from listener.config.station import ConfigError, ControlSettings
from listener.control.commands import CommandError
from listener.control.dispatcher import Answer
from listener.detection.bundle import BundleError
from listener.engines.engine import EngineError
from listener.health import Health
from listener.pipeline.plan import Detection
from listener.runtime.active import ActivePlan

log = logging.getLogger(__name__)

_LOOKS_EVERY_SECONDS = 60.0
_LEAST_SECONDS = 60.0  # of a time before that a rate can be told from
_JUDGE_SECONDS = 2.0  # the totals of 64 sources and 521 labels take 5 ms


# Where the config says that the bundle is: a directory, or a link to one in a models directory.


class BundlePath:
    """Follows a path that may be a link, and can point it back."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.seen = path.resolve()  # where it led to when somebody last looked

    def look(self) -> bool:
        """Whether it leads elsewhere since the last look; a link that leads nowhere is not followed."""
        target = self._path.resolve()
        if target == self.seen or not target.exists():
            return False
        self.seen = target
        return True

    def target(self) -> Path:
        """The directory that it leads to now.

        Raises:
            BundleError: a link that leads out of its own directory. A model is a program.
        """
        self.seen = self._path.resolve()
        models = self._path.parent.resolve()
        if self._path.is_symlink() and not self.seen.is_relative_to(models):
            raise BundleError(
                f"{self._path}: expected a link to a bundle in {models}, got {self.seen}"
            )
        return self.seen

    def point_to(self, bundle: Path) -> bool:
        """Make a link lead to that directory; False if it is no link that can be changed."""
        if not self._path.is_symlink():
            return False
        partial = self._path.with_name(f".{self._path.name}.{os.getpid()}.partial")
        try:
            partial.unlink(missing_ok=True)
            partial.symlink_to(os.path.relpath(bundle, self._path.parent.resolve()))
            partial.replace(self._path)
        except OSError:
            return False
        self.seen = self._path.resolve()
        return True


# A new bundle is on trial: does a label make far more events than under the one before?


_HOUR, _DAY = 3600.0, 86_400.0


@dataclass(frozen=True, slots=True)
class RateJump:
    """A label with too many events in the last hour; `before` is what an hour had."""

    label: str
    events: int
    before: float

    def __str__(self) -> str:
        return f"{self.label}: {self.events} events in an hour, {self.before:.1f} before"


class Probation:
    """The first day of a bundle; times are monotonic seconds, totals the events begun by label.

    Judged are the labels that the bundle before had, too: `per_hour_before`. A label jumps when an hour
    has `least_events` and more than `factor` times those of an hour before.
    """

    def __init__(
        self,
        per_hour_before: Mapping[str, float],
        began_at: float,
        totals: Mapping[str, int],
        *,
        factor: float,
        least_events: int,
    ) -> None:
        self._before, self._began_at = per_hour_before, began_at
        self._factor, self._least_events = factor, least_events
        # totals of the last hour, one a minute; the first is what the hour began with
        self._hour: deque[tuple[float, Mapping[str, int]]] = deque([(began_at, totals)])

    def is_over(self, now: float) -> bool:
        """Whether the bundle has stood its day."""
        return now - self._began_at > _DAY

    def look(self, now: float, totals: Mapping[str, int]) -> RateJump | None:
        """The label that jumps most, if one does."""
        while len(self._hour) > 1 and now - self._hour[1][0] >= _HOUR:
            self._hour.popleft()
        if now - self._hour[-1][0] >= _LOOKS_EVERY_SECONDS:
            self._hour.append((now, totals))
        _, earlier = self._hour[0]
        jumps = [
            RateJump(label, totals.get(label, 0) - earlier.get(label, 0), before)
            for label, before in self._before.items()
        ]
        return max(filter(self._is_too_much, jumps), key=lambda jump: jump.events, default=None)

    def _is_too_much(self, jump: RateJump) -> bool:
        return jump.events >= self._least_events and jump.events > jump.before * self._factor


def rates_per_hour(
    earlier: Mapping[str, int], totals: Mapping[str, int], seconds: float
) -> dict[str, float]:
    """Events of an hour, by label, from two totals that many seconds apart."""
    hours = max(seconds, _LEAST_SECONDS) / _HOUR
    return {label: (count - earlier.get(label, 0)) / hours for label, count in totals.items()}


def event_totals(health: Health) -> Counter[str]:
    """The events that began on all sources, by label."""
    totals: Counter[str] = Counter()
    for source in health.sources.copy().values():
        numbers = source.by_label
        totals.update(dict(zip(numbers.labels, numbers.events.tolist(), strict=True)))
    return totals


Load = Callable[[Path], Detection]
"""The bundle in a directory, every check passed; raises BundleError, ConfigError or EngineError."""
Refusal = Callable[[str | None, Path, str], None]
"""Told which bundle (None: not known), where it is, and why it is not used; or with no reason, none."""


@dataclass(frozen=True, slots=True)
class _Term:
    """The time of a bundle: where it is, since when (monotonic seconds), and totals of events then."""

    detection: Detection
    path: Path
    began_at: float
    totals: Counter[str]


class HotSwap:
    """Takes another bundle when it is told to, or when the config's path leads to another one.

    Under a `rollback_factor` the bundle before stays in memory for a day. All on the main thread.
    """

    def __init__(
        self,
        at_work: ActivePlan,
        path: BundlePath,
        load: Load,
        health: Health,
        settings: ControlSettings,
        publish_refusal: Refusal,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._at_work, self._path, self._load, self._health = at_work, path, load, health
        self._settings, self._publish_refusal, self._now = settings, publish_refusal, now
        self._term = _Term(at_work.detection, path.seen, now(), event_totals(health))
        self._before: _Term | None = None
        self._trial: Probation | None = None
        self._judged_at = -math.inf
        self._forget_refusal()  # one of an earlier run

    def reload(self) -> Answer:
        """Read the bundle of the config again; says which one it is, and whether it is another one.

        Raises:
            CommandError: it cannot be used; the one at work stays.
        """
        try:
            changed = self._take()
        except (BundleError, ConfigError, EngineError) as error:
            reason = " ".join(str(error).split())
            self._refuse(None, self._path.seen, reason, "refused")
            raise CommandError(f"reload: {reason}") from error
        return {"bundle": self._term.detection.plan.bundle, "changed": changed}

    def look(self) -> None:
        """Follow a link that has moved; end a trial."""
        if self._path.look():
            try:
                self.reload()
            except CommandError:
                return  # logged, counted and published
        elif self._trial is not None:
            self._judge(self._trial)

    def _take(self) -> bool:
        path = self._path.target()
        detection = self._load(path)
        here = self._at_work.detection
        _check_rates(here, detection)
        _check_groups(here, detection)
        self._forget_refusal()
        if (path, detection.manifest) == (self._term.path, here.manifest):
            return False
        self._begin(_Term(detection, path, self._now(), event_totals(self._health)))
        self._health.bundle_switches["taken"] += 1
        log.info("bundle %s: taken from %s", detection.plan.bundle, path)
        return True

    def _forget_refusal(self) -> None:
        self._health.bundle_refused = False
        self._publish_refusal(None, self._path.seen, "")

    def _begin(self, term: _Term) -> None:
        before, self._term = self._term, term
        self._at_work.take_bundle(term.detection)
        if self._settings.rollback_factor is None:
            return
        self._before = before
        seconds = term.began_at - before.began_at
        self._trial = Probation(
            rates_per_hour(before.totals, term.totals, seconds),
            term.began_at,
            term.totals,
            factor=self._settings.rollback_factor,
            least_events=self._settings.rollback_least_events,
        )

    def _judge(self, trial: Probation) -> None:
        now = self._now()
        if now - self._judged_at < _JUDGE_SECONDS:
            return
        self._judged_at = now
        jump = trial.look(now, event_totals(self._health))
        if jump is not None and self._before is not None:
            self._roll_back(self._before, jump)
        elif trial.is_over(now):
            self._trial = self._before = None

    def _roll_back(self, before: _Term, jump: RateJump) -> None:
        failed, self._trial, self._before = self._term, None, None
        self._term = _Term(before.detection, before.path, self._now(), event_totals(self._health))
        self._at_work.take_bundle(before.detection)
        pointed = self._path.point_to(before.path)
        where = "" if pointed else "; the path of the config still leads to it"
        reason = f"rolled back to {before.detection.plan.bundle}: {jump}{where}"
        self._refuse(failed.detection.plan.bundle, failed.path, reason, "rolled_back")

    def _refuse(self, bundle: str | None, path: Path, reason: str, result: str) -> None:
        self._health.bundle_switches[result] += 1
        self._health.bundle_refused = True
        log.warning("bundle %s: %s", bundle or path, reason)
        self._publish_refusal(bundle, path, reason)


def _check_rates(here: Detection, other: Detection) -> None:
    # sources are resampled to it, and what they have put into the queue already is at the old one
    rate, wanted = here.plan.params.sample_rate_hz, other.plan.params.sample_rate_hz
    if rate != wanted:
        raise BundleError(
            f"{other.plan.bundle}: expected {rate} Hz, as the bundle at work, got {wanted}: "
            "restart the station"
        )


def _check_groups(here: Detection, other: Detection) -> None:
    # a ready set does without what a bundle has not: at a start somebody reads so, at a switch nobody
    lost = sorted(_members(here) - _members(other))
    if lost:
        names = ", ".join(f"{member} of {group}" for group, member in lost)
        raise BundleError(
            f"{other.plan.bundle}: expected every sound of the groups at work, it lacks {names}"
        )


def _members(detection: Detection) -> set[tuple[str, str]]:
    groups = detection.plan.groups
    return {(group.label.slug, member) for group in groups for member in group.members}

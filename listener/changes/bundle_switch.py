"""Another bundle while the station runs: checked beside the one at work, taken, judged, given up."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from listener.changes.at_work import AtWork
from listener.changes.bundle_path import BundlePath
from listener.changes.trial import Jump, Trial, event_totals, rates_per_hour
from listener.config.station import ConfigError, ControlSettings
from listener.control.commands import CommandError
from listener.control.desk import Answer
from listener.detection.bundle import BundleError
from listener.engines.engine import EngineError
from listener.health import Health
from listener.pipeline.plan import Detection

log = logging.getLogger(__name__)

_JUDGE_SECONDS = 2.0  # the totals of 64 sources and 521 labels take 5 ms

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


class BundleSwitch:
    """Takes another bundle when it is told to, or when the config's path leads to another one.

    Under a `rollback_factor` the bundle before stays in memory for a day. All on the main thread.
    """

    def __init__(
        self,
        at_work: AtWork,
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
        self._trial: Trial | None = None
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
        self._trial = Trial(
            rates_per_hour(before.totals, term.totals, seconds),
            term.began_at,
            term.totals,
            factor=self._settings.rollback_factor,
            least_events=self._settings.rollback_least_events,
        )

    def _judge(self, trial: Trial) -> None:
        now = self._now()
        if now - self._judged_at < _JUDGE_SECONDS:
            return
        self._judged_at = now
        jump = trial.look(now, event_totals(self._health))
        if jump is not None and self._before is not None:
            self._roll_back(self._before, jump)
        elif trial.is_over(now):
            self._trial = self._before = None

    def _roll_back(self, before: _Term, jump: Jump) -> None:
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

"""Mutes and thresholds as commands set them: checked, kept on disk, brought to the pipeline."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from listener.changes.at_work import AtWork
from listener.changes.rules import MuteRule, Rules, ThresholdRule
from listener.changes.rules_file import write_rules
from listener.control.commands import CommandError, Mute, SetThreshold, Unmute
from listener.control.desk import Answer


class RuleBook:
    """Each change is on disk before it counts; `path` None: nothing is kept."""

    def __init__(
        self, at_work: AtWork, path: Path | None, now: Callable[[], float] = time.time
    ) -> None:
        self._at_work, self._path, self._now = at_work, path, now

    def mute(self, command: Mute) -> Answer:
        """No events for so long; says until when, unix seconds.

        Raises:
            CommandError: there is no such source or label, or the disk fails.
        """
        self._check(command.source, command.label)
        until = self._now() + command.seconds
        self._take(self._at_work.rules.with_mute(MuteRule(command.source, command.label, until)))
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
            rule = ThresholdRule(command.source, command.label, command.on, command.off)
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

    def _take(self, rules: Rules) -> None:
        rules = rules.at(self._now())
        if self._path is not None:
            try:
                write_rules(self._path, rules)
            except OSError as error:
                raise CommandError(f"{self._path}: cannot be written: {error.strerror}") from error
        self._at_work.take_rules(rules)

"""`trainer replay`: the stored archive through two bundles, and what would have changed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from listener.detection.audio import Samples
from listener.detection.bundle import Bundle
from listener.detection.clip import ClipRecord, LabelSpan
from trainer.data.audio import read_audio
from trainer.data.checks import quarantined
from trainer.data.clip_store import read_store
from trainer.data.clips import Clip
from trainer.errors import DataError
from trainer.evaluation.scoring import (
    PatchScorer,
    find_spans,
    open_scorer,
    ordered_policies,
    score_file,
)
from trainer.evaluation.selection import Progress

Change = Literal["same", "gone", "new"]


@dataclass(frozen=True, slots=True)
class Changed:
    """An event that one of two bundles finds, or both (`same`), in a stored clip.

    `onset` and `offset` are seconds in the clip, where to listen; `at` is unix seconds of the onset.
    """

    change: Change
    label: str
    source: str
    clip: str
    path: str
    onset: float
    offset: float
    at: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """All events of two bundles in so many clips; those that cannot be read are counted."""

    events: tuple[Changed, ...]
    clips: int
    unreadable: int

    def count(self, label: str, change: Change) -> int:
        """Events of one label."""
        return sum(each.label == label and each.change == change for each in self.events)


@dataclass(frozen=True, slots=True)
class _Found:
    """An event on the time line of its source."""

    record: ClipRecord
    span: LabelSpan

    @property
    def onset(self) -> float:
        return self.record.captured_at + self.span.onset

    @property
    def offset(self) -> float:
        return self.record.captured_at + self.span.offset


def replay(
    store: Path,
    before: Bundle,
    after: Bundle,
    since: float | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Score every clip that was captured `since` (unix seconds) with both bundles, as the daemon does.

    Clips overlap where several labels were heard at once: an event is counted once.

    Raises:
        DataError: not a clip store, or no clip since then.
        BundleError: a model cannot be run.
    """
    records = [r for r in read_store(store).records if since is None or r.captured_at >= since]
    if not records:
        raise DataError(f"{store}: expected clips in that time, found none")
    ears = _Ears(before, after)
    unreadable = 0
    for number, record in enumerate(records, start=1):
        unreadable += not ears.hear(record)
        if progress is not None:
            progress(number, len(records))
    changes = _compare(_once(ears.before.found), _once(ears.after.found))
    return Comparison(tuple(changes), len(records) - unreadable, unreadable)


class _Ears:
    """Two bundles that hear the same clips."""

    def __init__(self, before: Bundle, after: Bundle) -> None:
        self.before, self.after = _Ear(before), _Ear(after)

    def hear(self, record: ClipRecord) -> bool:
        """Whether the clip could be read."""
        try:
            self.before.hear(record)
            self.after.hear(record)
        except DataError as error:  # the same audio: the first of the two fails, or none
            quarantined(record.path, str(error).removeprefix(f"{record.path}: "))
            return False
        return True


class _Ear:
    """A bundle, and what it found."""

    def __init__(self, bundle: Bundle) -> None:
        self._scorer: PatchScorer = open_scorer(bundle)
        self._policies = ordered_policies(bundle)
        self.found: list[_Found] = []

    def hear(self, record: ClipRecord) -> None:
        features = self._scorer.features
        samples = _read(record, features.sample_rate_hz)
        file = score_file(self._scorer, samples, record.id)
        spans = find_spans(file, self._policies, features.patch_hop_seconds)
        self.found += [_Found(record, span) for span in spans]


def _read(record: ClipRecord, sample_rate_hz: int) -> Samples:
    whole = Clip(record.path, frozenset(), group=record.id, fold=0)
    return read_audio(whole, sample_rate_hz)


def _once(found: Sequence[_Found]) -> list[_Found]:
    """Of events of one label that overlap in two clips of a source, the first."""
    kept: defaultdict[tuple[str, str], list[_Found]] = defaultdict(list)
    for event in sorted(found, key=lambda each: each.onset):
        same = kept[event.record.source, event.span.label]
        if not same or same[-1].offset <= event.onset:
            same.append(event)
    return [event for events in kept.values() for event in events]


def _compare(before: list[_Found], after: list[_Found]) -> list[Changed]:
    """By time; an event of one bundle that overlaps one of the other is the same."""
    gone = [_changed(one, "same" if _meets(one, after) else "gone") for one in before]
    new = [_changed(one, "new") for one in after if not _meets(one, before)]
    return sorted((*gone, *new), key=lambda each: (each.at, each.label))


def _meets(event: _Found, others: Sequence[_Found]) -> bool:
    return any(
        other.record.source == event.record.source
        and other.span.label == event.span.label
        and other.onset < event.offset
        and event.onset < other.offset
        for other in others
    )


def _changed(event: _Found, change: Change) -> Changed:
    record, span = event.record, event.span
    return Changed(
        change,
        span.label,
        record.source,
        record.id,
        str(record.path),
        round(span.onset, 3),
        round(span.offset, 3),
        round(event.onset, 3),
    )


# How far back to look: `7d`, `12h`, `30m`, or a date.


_AGO = re.compile(r"(\d+(?:\.\d+)?)([mhd])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def parse_since(text: str, now: datetime) -> float:
    """Unix seconds; a date without a zone is UTC.

    Raises:
        ValueError: neither a time span nor a date.
    """
    match = _AGO.fullmatch(text.strip())
    if match:
        return (now - float(match[1]) * _UNITS[match[2]]).timestamp()
    try:
        date = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(
            f"expected 7d, 12h, 30m or a date such as 2026-11-20, got {text!r}"
        ) from error
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()

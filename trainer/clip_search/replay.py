"""`trainer replay`: the events of two bundles in the same stored clips, compared."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from listener.detection.bundle import Bundle
from listener.detection.clip import ClipRecord, LabelSpan
from trainer.data import audio, checks, clip_store
from trainer.data.clips import Clip
from trainer.errors import DataError
from trainer.evaluation.scoring import find_spans, open_scorer, ordered_policies, score_file
from trainer.terminal import Progress

Change = Literal["same", "gone", "new"]

_AGO = re.compile(r"(\d+(?:\.\d+)?)([mhd])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


@dataclass(frozen=True, slots=True)
class Changed:
    """An event that one of two bundles finds in a stored clip, or both (`same`).

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
    """All events of two bundles in `clips` clips; `unreadable` more could not be read."""

    events: tuple[Changed, ...]
    clips: int
    unreadable: int

    def count(self, label: str, change: Change) -> int:
        """The number of events of one label."""
        return sum(each.label == label and each.change == change for each in self.events)


@dataclass(frozen=True, slots=True)
class _Found:
    """An event on the timeline of its source."""

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
    """Score every clip captured `since` (unix seconds) with both bundles, as the daemon does.

    Clips overlap where several labels were heard at once: an event in two of them is counted once.

    Raises:
        DataError: not a clip store, or no clip since then.
        BundleError: a model cannot be run.
    """
    records = [
        r for r in clip_store.read_store(store).records if since is None or r.captured_at >= since
    ]
    if not records:
        raise DataError(f"{store}: expected clips in that time, found none")
    finders = _EventFinder(before), _EventFinder(after)
    unreadable = 0
    for number, record in enumerate(records, start=1):
        try:
            for finder in finders:
                finder.add(record)
        except DataError as error:  # both read the same audio: the first of them fails, or none
            checks.quarantined(record.path, str(error).removeprefix(f"{record.path}: "))
            unreadable += 1
        if progress is not None:
            progress(number, len(records))
    old, new = (_without_repeats(finder.found) for finder in finders)
    events = [_changed(each, "same" if _overlaps_any(each, new) else "gone") for each in old]
    events += [_changed(each, "new") for each in new if not _overlaps_any(each, old)]
    in_time = sorted(events, key=lambda each: (each.at, each.label))
    return Comparison(tuple(in_time), len(records) - unreadable, unreadable)


class _EventFinder:
    """Collects the events that a bundle finds in clips."""

    def __init__(self, bundle: Bundle) -> None:
        self._scorer = open_scorer(bundle)
        self._policies = ordered_policies(bundle)
        self.found: list[_Found] = []

    def add(self, record: ClipRecord) -> None:
        """Find the events of one more clip.

        Raises:
            DataError: it cannot be read.
        """
        features = self._scorer.features
        whole = Clip(record.path, frozenset(), group=record.id, fold=0)
        samples = audio.read_audio(whole, features.sample_rate_hz)
        file = score_file(self._scorer, samples, record.id)
        spans = find_spans(file, self._policies, features.patch_hop_seconds)
        self.found += [_Found(record, span) for span in spans]


def _without_repeats(found: Sequence[_Found]) -> list[_Found]:
    """Of events of one label that overlap in two clips of a source, only the first."""
    kept: defaultdict[tuple[str, str], list[_Found]] = defaultdict(list)
    for event in sorted(found, key=lambda each: each.onset):
        same = kept[event.record.source, event.span.label]
        if not same or same[-1].offset <= event.onset:
            same.append(event)
    return [event for events in kept.values() for event in events]


def _overlaps_any(event: _Found, others: Sequence[_Found]) -> bool:
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


def parse_since(text: str, now: datetime) -> float:
    """`7d`, `12h`, `30m` before `now`, or a date -> unix seconds; a date without a zone is UTC.

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

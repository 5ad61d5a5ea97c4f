"""A station's clip store as training data: the verdicts on its clips.

A store holds `YYYY/MM/DD/<id>.json` beside `<id>.flac`. Only the sidecars are read, so it makes no
difference whether the station is running.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from listener.detection.clip import ClipError, ClipRecord, LabelSpan
from listener.detection.clip_files import SIDECAR_SUFFIX, read_sidecar
from trainer.data.checks import quarantined
from trainer.data.clips import BACKGROUND, NOT_GIVEN, Clip, ClipTable, Quarantined, is_background
from trainer.errors import DataError

_DAY_GLOB = "[0-9][0-9][0-9][0-9]/[0-9][0-9]/[0-9][0-9]"


@dataclass(frozen=True, slots=True)
class StoredClips:
    """All records of a store, oldest first, and the sidecars that cannot be read."""

    records: tuple[ClipRecord, ...]
    quarantined: tuple[Quarantined, ...]


def holds_clip_store(root: Path) -> bool:
    """Whether the folder has a sidecar where a clip store has them."""
    return next(_sidecars(root), None) is not None


def read_store(root: Path) -> StoredClips:
    """All records of a store; a sidecar that cannot be read is quarantined.

    Raises:
        DataError: not a clip store.
    """
    if not holds_clip_store(root):
        raise DataError(
            f"{root}: expected a clip store (YYYY/MM/DD/<id>{SIDECAR_SUFFIX}), found none"
        )
    records: list[ClipRecord] = []
    left_out: list[Quarantined] = []
    for path in _sidecars(root):
        try:
            records.append(read_sidecar(path))
        except ClipError as error:
            left_out.append(quarantined(path, str(error).removeprefix(f"{path}: ")))
    return StoredClips(tuple(sorted(records, key=lambda record: record.id)), tuple(left_out))


def read_clip_store(root: Path) -> ClipTable:
    """The clips with a verdict, and ambient ones as background; the others are left out.

    Raises:
        DataError: not a clip store, or one without such clips.
    """
    store = read_store(root)
    clips = tuple(clip for record in store.records if (clip := learnable(record)) is not None)
    if not clips:
        raise DataError(
            f"{root}: expected clips with a verdict or of reason ambient, found neither "
            f"among {len(store.records)} clips"
        )
    named = {name for clip in clips for name in clip.labels | clip.negatives}
    others = sorted(named - {BACKGROUND})
    background = [BACKGROUND] if BACKGROUND in named else []
    return ClipTable(clips, (*others, *background), store.quarantined)


def learnable(record: ClipRecord) -> Clip | None:
    """A stored clip with what its verdict says; None if it says nothing.

    `right`: the clip has its label within its span, all else is unknown. `wrong`: that label is not in
    it. `labels`: it has these and no others. The label of a group means the member with the highest score
    and says nothing of the others; `wrong` denies all members. An ambient clip without a verdict is
    background, because it was drawn at random; an event or a near miss without one may be anything.
    """
    verdict = record.verdict
    if verdict and verdict.value == "labels":
        return _exhaustive(record, verdict.labels)
    if verdict and verdict.value == "wrong":
        denied = (record.members_of(span.label) for span in record.labels)
        return replace(_clip(record, ()), negatives=frozenset(chain.from_iterable(denied)))
    if verdict and record.labels:
        return _clip(record, record.labels)
    return _exhaustive(record, ()) if record.reason == "ambient" else None


def _exhaustive(record: ClipRecord, spans: Sequence[LabelSpan]) -> Clip:
    heard = [span for span in spans if not is_background(span.label)]
    members = chain.from_iterable(record.members_of(span.label) for span in heard)
    clip = _clip(record, heard)
    return replace(
        clip,
        labels=clip.labels or frozenset({BACKGROUND}),
        exhaustive=True,
        unknown=frozenset(members) - clip.labels,
    )


def _clip(record: ClipRecord, spans: Sequence[LabelSpan]) -> Clip:
    """The clip with these spans, groups replaced by their top members."""
    top = tuple(replace(span, label=record.members_of(span.label)[0]) for span in spans)
    # one source in one hour is one recording: clips of one event or of a lasting sound are alike
    hour = datetime.fromtimestamp(record.captured_at, UTC)
    group = f"store/{record.source}/{hour:%Y-%m-%dT%H}"
    labels = frozenset(span.label for span in top)
    return Clip(record.path, labels, group, NOT_GIVEN, spans=top)


def is_quiet(record: ClipRecord) -> bool:
    """Whether the clip is ambient and nobody named a sound in it."""
    return record.reason == "ambient" and not record.heard


def _sidecars(root: Path) -> Iterator[Path]:
    """One day after another, lazily."""
    for day in sorted(root.glob(_DAY_GLOB)):
        yield from sorted(day.glob(f"*{SIDECAR_SUFFIX}"))

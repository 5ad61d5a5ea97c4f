"""Station: what a clip store says, in the words of the bundle that is to learn from it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import Bundle
from listener.detection.clip import ClipRecord, LabelSpan
from trainer.data.clip_store import StoredClips, learnable
from trainer.data.clips import BACKGROUND, Clip, ClipTable
from trainer.errors import DataError
from trainer.labels import slug_of

log = logging.getLogger(__name__)

FEWEST_CLIPS = 5  # of a class that is added


# Verdicts whose names the bundle has not and nobody gave: of them nothing can be learnt.


def leave_out_unclear(
    records: Sequence[ClipRecord], clips: Mapping[str, Clip], is_known: Callable[[str], bool]
) -> list[ClipRecord]:
    """The records with a verdict that say something of `clips` (by id), without those that are unclear.

    Unclear is a name that the bundle does not know (`is_known`) where it is a group's of the station, of
    whose members the clip does not tell, or where it is a program's word alone: that of a group in a
    sidecar of an older version, or of another bundle. What people call a sound may be a new label.
    """
    said = [record for record in records if record.verdict and record.id in clips]
    groups = {group.label for record in records for group in record.groups}
    given = {span.label for record in said for span in _given(record)} - groups

    def unclear(record: ClipRecord) -> list[str]:
        clip = clips[record.id]
        names = (clip.labels | clip.negatives) - given - {BACKGROUND}
        return sorted(name for name in names if not is_known(name))

    _warn_of_unclear(Counter(name for record in said for name in unclear(record)))
    return [record for record in said if not unclear(record)]


def _given(record: ClipRecord) -> Sequence[LabelSpan]:
    return () if record.verdict is None else record.verdict.labels


def _warn_of_unclear(names: Counter[str]) -> None:
    for name, count in sorted(names.items()):
        log.warning(
            "%s: %d clips left out: the name of a group or of another bundle, which of its sounds "
            "it was is not known; say so with the labels that the clip holds",
            name,
            count,
        )


Slugs = dict[
    str, str | None
]  # what somebody called a sound -> the label's slug; None: not one of them


@dataclass(frozen=True, slots=True)
class Judged:
    """A stored clip, and what its verdict says in the bundle's words."""

    record: ClipRecord
    clip: Clip


@dataclass(frozen=True, slots=True)
class Verdicts:
    """A store's clips by what they teach.

    `columns` are the outputs to come: the bundle's labels, then `new_labels`, with softmax the
    background last. `ambient` is this room without any of the sounds. `unjudged` are events and near
    misses of labels that nobody has corrected: what the bundle says of them may be kept.
    """

    columns: tuple[str, ...]
    new_labels: tuple[str, ...]
    judged: tuple[Judged, ...]
    ambient: tuple[Clip, ...]
    unjudged: tuple[Clip, ...]

    def table(self, clips: Iterable[Clip]) -> ClipTable:
        """Some of its clips, with the columns as classes."""
        return ClipTable(tuple(clips), self.columns)


def named_columns(columns: Sequence[str], judged: Iterable[Judged]) -> NDArray[np.bool_]:
    """The columns that verdicts speak of by name, as there or as absent, (K,)."""
    names = {name for each in judged for name in each.clip.labels | each.clip.negatives}
    return np.array([column in names for column in columns])


def read_verdicts(store: StoredClips, base: Bundle, *, new_classes: bool) -> Verdicts:
    """Sort a store's clips; labels that the bundle does not know are new ones, or none of the classes.

    A name that people did not give, a group's or another bundle's, is no new label.

    Raises:
        DataError: nobody judged a clip.
    """
    known = {record.id: clip for record in store.records if (clip := learnable(record)) is not None}
    said = leave_out_unclear(store.records, known, lambda name: _known_slug(base, name) is not None)
    if not said:
        raise DataError(f"expected clips with a verdict, found none among {len(store.records)}")
    slugs = _name_labels(base, [known[record.id] for record in said], new_classes=new_classes)
    softmax = base.manifest.activation == "softmax"
    new = tuple(sorted({slug for slug in slugs.values() if slug} - set(base.labels)))
    background = (BACKGROUND,) if softmax else ()
    judged = [Judged(record, _translate(known[record.id], slugs, background)) for record in said]
    ambient = [known[r.id] for r in store.records if r.verdict is None and r.id in known]
    return Verdicts(
        (*base.labels, *new, *background),
        new,
        tuple(each for each in judged if _says_something(each.clip)),
        tuple(_translate(clip, slugs, background) for clip in ambient),
        tuple(_unjudged(store.records, known)),
    )


def _name_labels(base: Bundle, clips: list[Clip], *, new_classes: bool) -> Slugs:
    """What every name that was given means."""
    counts = Counter(name for clip in clips for name in clip.labels)
    named = {name for clip in clips for name in clip.labels | clip.negatives} - {BACKGROUND}
    found: Slugs = {name: _known_slug(base, name) for name in named}
    others = Counter[str]()
    for name in sorted(name for name in named if found[name] is None):
        others[_slug(name)] += counts[name]
    added = {slug for slug, count in others.items() if new_classes and count >= FEWEST_CLIPS}
    for slug, count in sorted(others.items()):
        if slug not in added:
            _warn_of(slug, count, base, new_classes=new_classes)
    return {
        name: slug or (_slug(name) if _slug(name) in added else None)
        for name, slug in found.items()
    }


def _known_slug(base: Bundle, name: str) -> str | None:
    for label in base.manifest.labels:
        if name in {label.slug, label.name} or _slug(name) == label.slug:
            return label.slug
    return None


def _slug(name: str) -> str:
    try:
        return slug_of(name)
    except ValueError as error:
        raise DataError(str(error)) from error


def _warn_of(slug: str, count: int, base: Bundle, *, new_classes: bool) -> None:
    if new_classes:
        log.warning(
            "%s: %d clips, %d make a class: taken as other sound", slug, count, FEWEST_CLIPS
        )
    else:
        log.warning(
            "%s: %d clips, no label of %s: taken as other sound; --new-classes adds it",
            slug,
            count,
            base.id,
        )


def _translate(clip: Clip, slugs: Slugs, background: tuple[str, ...]) -> Clip:
    """In slugs; sounds that are not among the columns are left out."""
    heard = frozenset(slug for name in clip.labels if (slug := slugs.get(name)))
    empty = frozenset(background) if clip.exhaustive else frozenset[str]()
    spans = ((span, slugs.get(span.label)) for span in clip.spans)
    return replace(
        clip,
        labels=heard or empty,
        negatives=frozenset(slug for name in clip.negatives if (slug := slugs.get(name))),
        unknown=frozenset(slug for name in clip.unknown if (slug := slugs.get(name))),
        spans=tuple(replace(span, label=slug) for span, slug in spans if slug),
        fold=0,  # two silent clips may be the same bytes: there are no folds here to keep apart
    )


def _says_something(clip: Clip) -> bool:
    return clip.exhaustive or bool(clip.labels or clip.negatives)


def _unjudged(records: tuple[ClipRecord, ...], known: dict[str, Clip]) -> Iterable[Clip]:
    """Not of a label that was corrected once: other events of it may be wrong as well."""
    corrected = {record.label for record in records if _is_correction(record)}
    for record in records:
        if record.id not in known and record.label not in corrected:
            yield Clip(record.path, frozenset(), record.source, fold=0)


def _is_correction(record: ClipRecord) -> bool:
    if record.heard is None or record.label is None:
        return False
    stood_for = {record.label, *record.members_of(record.label)}
    return stood_for.isdisjoint(span.label for span in record.heard)

"""A station's clips by what people said of them, in the bundle's labels; and those held out."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import Bundle
from listener.detection.clip import ClipRecord
from trainer.data.clip_store import StoredClips, learnable
from trainer.data.clips import BACKGROUND, Clip, ClipTable
from trainer.data.folds import choose_held_out
from trainer.errors import DataError
from trainer.evaluation.selection import digest_files, seen_paths
from trainer.labels import find_label, slug_of, spelling_of, unique_slug
from trainer.provenance import provenance_of

log = logging.getLogger(__name__)

FEWEST_CLIPS = 5  # of a label that is added
MOST_CLIPS = 20  # held out of a new label: 1.2 MB

Slugs = dict[str, str | None]  # the name of a sound -> its label's slug; None: it has no label


@dataclass(frozen=True, slots=True)
class JudgedClip:
    """A stored clip with a verdict, and what the verdict says in the bundle's labels."""

    record: ClipRecord
    clip: Clip


@dataclass(frozen=True, slots=True)
class Verdicts:
    """A store's clips by what can be learnt from them.

    `columns` are the outputs of the new head: the bundle's labels, then `new_labels`, with softmax the
    background last. `ambient` clips hold none of the sounds. `unjudged` are events and near misses of
    labels that nobody corrected: the bundle's scores of them may be kept.
    """

    columns: tuple[str, ...]
    new_labels: tuple[str, ...]
    judged: tuple[JudgedClip, ...]
    ambient: tuple[Clip, ...]
    unjudged: tuple[Clip, ...]

    def table(self, clips: Iterable[Clip]) -> ClipTable:
        """Some of its clips, with the columns as classes."""
        return ClipTable(tuple(clips), self.columns)


def named_columns(columns: Sequence[str], judged: Iterable[JudgedClip]) -> NDArray[np.bool_]:
    """The columns that verdicts name, as there or as absent, (K,)."""
    names = {name for each in judged for name in each.clip.labels | each.clip.negatives}
    return np.array([column in names for column in columns])


def read_verdicts(store: StoredClips, base: Bundle, *, new_classes: bool) -> Verdicts:
    """Sort a store's clips; names that the bundle does not know become new labels, or none.

    A name that no person gave, a group's or another bundle's, becomes no new label.

    Raises:
        DataError: no clip has a verdict, or a name has no slug.
    """
    clips = {record.id: clip for record in store.records if (clip := learnable(record)) is not None}
    said = _without_unclear(store.records, clips, base)
    if not said:
        raise DataError(f"expected clips with a verdict, found none among {len(store.records)}")
    slugs = _name_labels(base, [clips[record.id] for record in said], new_classes=new_classes)
    new = tuple(sorted({slug for slug in slugs.values() if slug} - set(base.labels)))
    background = (BACKGROUND,) if base.manifest.activation == "softmax" else ()
    judged = [
        JudgedClip(record, _translate(clips[record.id], slugs, background)) for record in said
    ]
    ambient = [clips[r.id] for r in store.records if r.verdict is None and r.id in clips]
    return Verdicts(
        (*base.labels, *new, *background),
        new,
        tuple(j for j in judged if j.clip.exhaustive or j.clip.labels or j.clip.negatives),
        tuple(_translate(clip, slugs, background) for clip in ambient),
        tuple(_unjudged(store.records, clips)),
    )


def _without_unclear(
    records: Sequence[ClipRecord], clips: Mapping[str, Clip], base: Bundle
) -> list[ClipRecord]:
    """The records whose verdict says something of `clips` (by id), without those that are unclear.

    Unclear is a name that the bundle does not know where it is a group's of the station and the clip does
    not tell its members, or where only a program gave it: the name of a group in a sidecar of an older
    version, or of another bundle. What people call a sound may be a new label.
    """
    said = [record for record in records if record.verdict and record.id in clips]
    groups = {group.label for record in records for group in record.groups}
    given = {span.label for record in said if record.verdict for span in record.verdict.labels}
    clear, unclear = [], Counter[str]()
    for record in said:
        names = clips[record.id].labels | clips[record.id].negatives
        names -= (given - groups) | {BACKGROUND}
        unknown = [name for name in names if find_label(base.manifest.labels, name) is None]
        unclear.update(unknown)
        if not unknown:
            clear.append(record)
    for name, count in sorted(unclear.items()):
        log.warning(
            "%s: %d clips left out: it is the name of a group or of another bundle, and which sound "
            "they hold is not known; correct them with the labels that they hold",
            name,
            count,
        )
    return clear


def _name_labels(base: Bundle, clips: list[Clip], *, new_classes: bool) -> Slugs:
    """The slug of every name that was given."""
    names = sorted({name for clip in clips for name in clip.labels | clip.negatives} - {BACKGROUND})
    slugs: Slugs = {name: find_label(base.manifest.labels, name) for name in names}
    clip_counts = Counter(name for clip in clips for name in clip.labels)
    others: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        if slugs[name] is None:
            others[spelling_of(name)].append(name)
    taken = set(base.labels)
    for spellings in others.values():
        try:
            slug = unique_slug(slug_of(spellings[0]), taken)
        except ValueError as error:
            raise DataError(str(error)) from error
        count = sum(clip_counts[name] for name in spellings)
        if new_classes and count >= FEWEST_CLIPS:
            slugs |= dict.fromkeys(spellings, slug)
            continue
        log.warning(
            "%s: %d clips used as other sound: %s",
            slug,
            count,
            f"a new label needs {FEWEST_CLIPS}"
            if new_classes
            else f"{base.id} has no such label, --new-classes adds it",
        )
    return slugs


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


def _unjudged(records: Sequence[ClipRecord], judged: Mapping[str, Clip]) -> Iterator[Clip]:
    """Without those of a label that was corrected once: other events of it may be wrong as well."""
    corrected: set[str] = set()
    for record in records:
        if record.heard is not None and record.label is not None:
            heard = {span.label for span in record.heard}
            if heard.isdisjoint({record.label, *record.members_of(record.label)}):
                corrected.add(record.label)
    for record in records:
        if record.id not in judged and record.label not in corrected:
            yield Clip(record.path, frozenset(), record.source, fold=0)


@dataclass(frozen=True, slots=True)
class HeldOutLabel:
    """How many clips check a new label; `learnt`: they are trained on, for want of others.

    The provenance of a bundle has these fields.
    """

    label: str
    clips: int
    learnt: bool


@dataclass(frozen=True, slots=True)
class Holdout:
    """`judged` are trained on; `clips` hold new labels, to check them by.

    `files` are the SHA-256 of clips that nothing is trained on, of earlier retrainings too.
    """

    judged: tuple[JudgedClip, ...]
    clips: tuple[Clip, ...]
    labels: tuple[HeldOutLabel, ...]
    files: frozenset[str]


def hold_out(verdicts: Verdicts, base: Bundle) -> Holdout:
    """Keep a few recordings of each new label from training; a label with few recordings needs them all.

    What was held out when a label of the base was new stays held out.

    Raises:
        DataError: a clip cannot be read.
    """
    known = seen_paths(base, [each.clip.path for each in verdicts.judged], ("held_files",))
    untouched = [each.clip for each in verdicts.judged if each.clip.path in known]
    clips: list[Clip] = []
    labels = []
    for label in verdicts.new_labels:
        of_label = [each.clip for each in verdicts.judged if label in each.clip.labels]
        groups = choose_held_out({clip.group for clip in of_label})
        held = [clip for clip in of_label if clip.group in groups]
        chosen = held or of_label
        chosen = chosen[:: -(-len(chosen) // MOST_CLIPS)]  # rounded up
        untouched += held
        clips += [clip for clip in chosen if clip not in clips]
        labels.append(HeldOutLabel(label, len(chosen), learnt=not held))
    judged = tuple(each for each in verdicts.judged if each.clip not in untouched)
    files = frozenset(digest_files([clip.path for clip in untouched]))
    before = provenance_of(base.manifest).get("held_files", ())
    return Holdout(judged, tuple(clips), tuple(labels), files.union(before))

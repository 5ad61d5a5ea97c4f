"""The holdout of new labels: clips that nothing is trained on, to check later bundles by."""

from dataclasses import dataclass

from listener.detection.bundle import Bundle
from trainer.data.clips import Clip
from trainer.data.folds import choose_held_out
from trainer.evaluation.selection import digest_files, seen_paths
from trainer.provenance import provenance_of
from trainer.retraining.verdicts import JudgedClip, Verdicts

MOST_CLIPS = 20  # of a new label: 1.2 MB


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

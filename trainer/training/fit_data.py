"""The data of a training: its classes in a table, its folds, and what its validation figure is of."""

import logging
from collections import Counter
from collections.abc import Sequence

from trainer.data.audio import stated_seconds
from trainer.data.checks import in_words
from trainer.data.clips import BACKGROUND, Clip, ClipTable
from trainer.data.files import without_number
from trainer.data.folds import FOLD_COUNT
from trainer.errors import FitError
from trainer.terminal import show_table

log = logging.getLogger(__name__)


def show_classes(table: ClipTable) -> None:
    """Print how many clips, recordings and seconds each class has, and how many recordings in each fold.

    The last line is of all clips, those without a label too, which a verdict called wrong.
    """
    folds = sorted({clip.fold for clip in table.clips})
    rows = [
        _row(name, [clip for clip in table.clips if name in clip.labels], folds)
        for name in table.classes
    ]
    show_table(
        ("class", "clips", "recordings", "seconds", *(f"fold {fold}" for fold in folds)),
        [*rows, _row("all", table.clips, folds)],
    )
    # a group that ends as the file is named is not from a table
    names = [
        without_number(each.path) for each in table.clips if each.group.endswith(each.path.stem)
    ]
    takes = sum(count for count in Counter(names).values() if count > 1)
    if takes:
        log.info(
            "%d files differ only in the number that their name ends in: each counts as a recording of its "
            'own. For parts of one recording see "Which files are one recording" in docs/training.md',
            takes,
        )


def _row(name: str, clips: Sequence[Clip], folds: Sequence[int]) -> tuple[str, ...]:
    fold_by_group = {clip.group: clip.fold for clip in clips}
    counts = Counter(fold_by_group.values())
    lengths = [_seconds(clip) for clip in clips]
    known = f"{sum(each for each in lengths if each is not None):.0f}"
    return (
        name,
        str(len(clips)),
        str(len(fold_by_group)),
        f"at least {known}" if None in lengths else known,
        *(str(counts[fold]) for fold in folds),
    )


def _seconds(clip: Clip) -> float | None:
    """The length of a clip, as its file states it."""
    stated = stated_seconds(clip.path)
    if stated is None:
        return clip.seconds
    left = max(stated - clip.onset, 0.0)
    return left if clip.seconds is None else min(clip.seconds, left)


def choose_folds(
    table: ClipTable, wanted: tuple[int, ...], validation: int | None
) -> tuple[tuple[int, ...], int | None]:
    """The folds to train on, and which of them early stopping is judged by.

    A wanted fold that is empty, because each class has few recordings, is left out. If no validation fold
    is asked for, it is the last of those folds that hold most classes and that leave no class without a
    clip; None if every fold holds all clips of some class.

    Raises:
        FitError: a fold without clips, or a validation fold that is not one of the folds.
    """
    there = sorted({clip.fold for clip in table.clips})
    folds = tuple(fold for fold in wanted if fold in there) or tuple(there)
    missing = sorted(set(wanted) - set(there))
    if missing and (len(missing) == len(set(wanted)) or missing[-1] > FOLD_COUNT):
        raise FitError(f"folds: expected some of {there}, got {missing}")
    if missing:
        log.warning("%s: no clip; training goes on without", in_words(missing))
    if validation is None:
        return folds, _validation_fold(table, folds)
    if validation not in folds or len(folds) == 1:
        raise FitError(
            f"validation fold: expected one of {list(folds)} and others to train on, "
            f"got {validation}"
        )
    return folds, validation


def _validation_fold(table: ClipTable, folds: Sequence[int]) -> int | None:
    heard = {fold: _labels(table.in_folds(fold)) for fold in folds}
    able = [
        fold
        for fold in reversed(folds)
        if heard[fold] <= _labels(table.in_folds(*(each for each in folds if each != fold)))
    ]
    return max(able, key=lambda fold: len(heard[fold]), default=None)


def _labels(table: ClipTable) -> frozenset[str]:
    return frozenset[str]().union(*(clip.labels for clip in table.clips))


def show_folds(
    table: ClipTable, learnt: ClipTable, folds: Sequence[int], validation: int | None
) -> None:
    """Log which folds are trained on and which decides when to stop; warn of the classes that they lack.

    `learnt` are the clips of the folds, less those that are held out to check later bundles.
    """
    used = in_words(sorted(set(folds)))
    decides = (
        "no fold can be spared to decide when to stop"
        if validation is None
        else f"fold {validation} decides when to stop"
    )
    log.info(
        "training on %s, %d of %d clips; %s", used, len(learnt.clips), len(table.clips), decides
    )
    for name in sorted(_labels(table) - _labels(learnt)):
        log.warning("class %s: no clip in %s, so nothing is learnt of it", name, used)
    if validation is not None:
        for name in sorted(_labels(learnt) - _labels(learnt.in_folds(validation))):
            log.warning(
                "class %s: no clip in fold %d, which decides when to stop", name, validation
            )


def name_validation(clips: Sequence[Clip], accuracy: float | None, head: str) -> str:
    """What a validation figure is of, for people: of which head, how many clips, and of which folds.

    `accuracy`, [0, 1], is that of a head that was not trained on these clips; background clips count.
    """
    if not clips or accuracy is None:
        return "none, as no fold was kept from training"
    folds = sorted({clip.fold for clip in clips})
    named = f"fold{'s' if len(folds) > 1 else ''} {', '.join(map(str, folds))}"
    recordings = _count(len({clip.group for clip in clips}), "recording")
    background = sum(not clip.labels - {BACKGROUND} for clip in clips)
    of_background = f", {background} of them background" if background else ""
    return (
        f"{head}: accuracy {100 * accuracy:.1f} % of {_count(len(clips), 'clip')}{of_background}, "
        f"of {named}, from {recordings}; none was trained on until then, but they chose the head"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"

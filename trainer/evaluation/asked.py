"""What a station asks of a bundle: the labels that it listens for, as its config names them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trainer.evaluation.regression import RegressionSet


def is_asked(label: str, asked: frozenset[str]) -> bool:
    """Whether it is one of them; where nobody said which they are, all are."""
    return not asked or label in asked


def missing_labels(labels: Iterable[str], asked: frozenset[str]) -> list[str]:
    """Those that are asked for and not among `labels`."""
    return sorted(asked.difference(labels))


def unproven_labels(
    labels: Sequence[str], asked: frozenset[str], held_out: RegressionSet | None
) -> tuple[str, ...]:
    """The labels of which no held-out clip can tell whether another bundle forgets them.

    Each that is asked for needs a clip of its own. Where nobody said which they are, any clips will do: a
    bundle of 521 labels has hardly some of each.
    """
    if held_out is not None and not asked:
        return ()
    heard = frozenset[str]() if held_out is None else held_out.heard
    return tuple(label for label in labels if is_asked(label, asked) and label not in heard)

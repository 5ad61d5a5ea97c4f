"""The targets of clips and patches, and which of them are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from listener.detection.clip import LabelSpan
from tests.trainer.data.doubles import PARAMS, make_clip
from trainer.data.clips import BACKGROUND, Clip
from trainer.data.targets import Targets, clip_targets, patch_targets
from trainer.errors import DataError

CLASSES = ("cat", "dog", "rain")
DOG = make_clip(Path("a.wav"), "dog")
FLAGGED = Clip(Path("b.wav"), frozenset({"dog"}), "b", 1, negatives=frozenset({"cat"}))


def of_patches(clip: Clip, classes: tuple[str, ...] = CLASSES) -> Targets:
    """Of 4 patches and 2.19 s: the slots end at 0.7275, 1.2075, 1.6875 and 2.19 s."""
    return patch_targets(clip, classes, 4, 2.19, PARAMS)


def test_an_exhaustive_clip_knows_every_class():
    targets = clip_targets(DOG, CLASSES)
    assert targets.values.tolist() == [[0, 1, 0]]
    assert targets.known.tolist() == [[1, 1, 1]]
    assert targets.values.dtype == targets.known.dtype == np.float32


def test_an_exhaustive_clip_can_have_unknown_classes():
    clip = replace(DOG, unknown=frozenset({"cat"}))
    assert clip_targets(clip, CLASSES).known.tolist() == [[0, 1, 1]]
    assert of_patches(clip).known.tolist() == [[0, 1, 1]] * 4


def test_a_verdict_makes_only_its_labels_known():
    targets = clip_targets(FLAGGED, CLASSES)
    assert targets.values.tolist() == [[0, 1, 0]]
    assert targets.known.tolist() == [[1, 1, 0]]


def test_one_of_exclusive_classes_makes_all_known():
    assert clip_targets(FLAGGED, CLASSES, exclusive=True).known.tolist() == [[1, 1, 1]]


def test_a_label_outside_the_table_is_refused():
    with pytest.raises(DataError, match=r"a.wav: label 'dog': expected one of cat, rain"):
        clip_targets(DOG, ("cat", "rain"))
    spanned = replace(DOG, labels=frozenset(), spans=(LabelSpan("owl", 0.0, 1.0),))
    with pytest.raises(DataError, match=r"a.wav: label 'owl'"):
        of_patches(spanned)


def test_a_label_without_spans_is_in_every_patch():
    assert of_patches(DOG).values.tolist() == [[0, 1, 0]] * 4


@pytest.mark.parametrize(
    ("onset", "offset", "heard"),
    [
        (0.7275, 1.2075, [0, 1, 0, 0]),  # the second slot
        (0.7275, 0.9675, [0, 1, 0, 0]),  # its first half
        (0.9675, 1.4475, [0, 1, 1, 0]),  # half of two slots
        (0.98, 1.2075, [0, 1, 0, 0]),  # less than half of the slot, but all of the span
        (0.6, 0.9, [0, 1, 0, 0]),  # the second slot holds 0.1725 s of its 0.3 s
        (0.0, 2.19, [1, 1, 1, 1]),
        (2.0, 2.1, [0, 0, 0, 1]),
    ],
)
def test_a_span_is_heard_where_it_covers_half(onset: float, offset: float, heard: list[int]):
    clip = replace(DOG, spans=(LabelSpan("dog", onset, offset),))
    assert of_patches(clip).values[:, 1].tolist() == heard
    assert of_patches(clip).known.all()


def test_spans_affect_only_their_label():
    clip = replace(FLAGGED, spans=(LabelSpan("dog", 0.7275, 1.2075),))
    assert of_patches(clip).values[:, 1].tolist() == [0, 1, 0, 0]
    assert of_patches(clip).known.tolist() == [[1, 1, 0]] * 4


def test_between_spans_there_is_background():
    classes = (*CLASSES, BACKGROUND)
    clip = replace(DOG, spans=(LabelSpan("dog", 0.7275, 1.2075),))
    assert of_patches(clip, classes).values[:, 3].tolist() == [1, 0, 1, 1]
    assert of_patches(FLAGGED, classes).values[:, 3].tolist() == [0, 0, 0, 0]
    assert of_patches(make_clip(Path("c.wav"), BACKGROUND), classes).values[:, 3].all()

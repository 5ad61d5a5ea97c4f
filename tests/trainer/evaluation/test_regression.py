"""Held-out clips inside a bundle: few, of every class, and judged as they were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from listener.detection.bundle import Bundle, BundleError
from listener.detection.clip import LabelSpan
from listener.detection.params import FeatureParams
from tests.trainer.data.doubles import make_clip, make_table, write_samples
from trainer.data.clips import Clip
from trainer.evaluation.regression import (
    REGRESSION_FILE,
    RegressionSet,
    compare_labels,
    is_required,
    labels_without_holdout,
    make_regression_set,
    missing_labels,
    read_regression,
)

LABELS = ("dog", "cat", "rain")


FEATURES = FeatureParams()


def clip(folder: Path, label: str, number: int, seconds: float = 2.0) -> Clip:
    path = write_samples(folder / f"{label}{number}.wav", np.zeros(round(seconds * 16_000)))
    return make_clip(path, label)


def test_the_classes_take_turns_while_there_is_room(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("trainer.evaluation.regression.MOST_PATCHES", 20)  # four clips
    clips = [clip(tmp_path, "dog", n) for n in range(5)] + [clip(tmp_path, "cat", 0)]
    found = make_regression_set(make_table(*clips), ("cat", "dog"), FEATURES)
    assert found is not None
    assert found.targets.sum(axis=0).tolist() == [1, 3]


def test_a_clip_is_a_few_patches_that_do_not_overlap(tmp_path: Path):
    table = make_table(clip(tmp_path, "dog", 0, seconds=60.0), clip(tmp_path, "cat", 0, 1.0))
    found = make_regression_set(table, table.classes, FEATURES)
    assert found is not None
    assert found.patches.dtype == np.float16
    assert sorted(np.bincount(found.clips).tolist()) == [2, 5]


def test_of_a_long_clip_the_labelled_part_is_kept(tmp_path: Path):
    """Noise from second 30 to 31, silence elsewhere."""
    samples = np.zeros(60 * 16_000)
    samples[30 * 16_000 : 31 * 16_000] = np.random.default_rng(0).normal(0.0, 0.1, 16_000)
    path = write_samples(tmp_path / "long.wav", samples)
    spans = (LabelSpan("dog", 30.0, 31.0),)
    long = Clip(path, frozenset({"dog"}), "long", 1, spans=spans, exhaustive=True)
    found = make_regression_set(make_table(long), ("dog",), FEATURES)
    assert found is not None
    assert len(found.patches) <= 2
    assert found.patches.max() > -4.0  # log-mel of silence is -6.9


def test_joined_sets_do_not_know_each_others_labels():
    """Two clips of dog and cat, then one of cat and owl, of two patches."""
    cats = make_set([[1, 0], [0, 1]], ("dog", "cat"))
    owl = replace(make_set([[0, 1]], ("cat", "owl")), clips=np.array([0, 0]))
    owl = replace(owl, patches=np.ones((2, 96, 64), np.float16))
    joined = cats.joined_with(owl)
    assert joined.labels == ("dog", "cat", "owl")
    assert joined.clips.tolist() == [0, 1, 2, 2]
    assert joined.patches[:, 0, 0].tolist() == [0.0, 0.0, 1.0, 1.0]
    assert joined.targets.tolist() == [
        [True, False, False],
        [False, True, False],
        [False, False, True],
    ]
    assert joined.known.tolist() == [[True, True, False], [True, True, False], [False, True, True]]


def test_it_comes_back_out_of_a_bundle(tones_bundle: Bundle, tmp_path: Path):
    assert read_regression(tones_bundle) is None
    made = make_regression_set(make_table(clip(tmp_path, "dog", 0)), ("dog",), FEATURES)
    assert made is not None
    bundle = bundle_with(tones_bundle, tmp_path, made.to_bytes())
    found = read_regression(bundle)
    assert found is not None
    assert found.labels == ("dog",)
    for name in ("patches", "clips", "targets", "known"):
        np.testing.assert_array_equal(getattr(found, name), getattr(made, name))


def test_another_file_of_that_name_is_refused(tones_bundle: Bundle, tmp_path: Path):
    with pytest.raises(BundleError, match="expected held-out clips"):
        read_regression(bundle_with(tones_bundle, tmp_path, b"torn"))


def bundle_with(bundle: Bundle, folder: Path, content: bytes) -> Bundle:
    (folder / REGRESSION_FILE).write_bytes(content)
    listed = {REGRESSION_FILE: "not looked at here"}
    manifest = replace(bundle.manifest, files=listed)
    return Bundle(folder, manifest)


def make_set(targets: list[list[int]], labels: tuple[str, ...]) -> RegressionSet:
    known = np.array(targets) > 0
    patches = np.zeros((len(targets), 96, 64), np.float16)
    return RegressionSet(labels, patches, np.arange(len(targets)), known, np.ones_like(known))


def test_a_clip_that_a_new_label_wins_is_lost():
    """Two dogs and two cats; afterwards one dog is taken for an owl, which was no label before."""
    held_out = make_set([[1, 0], [1, 0], [0, 1], [0, 1]], ("dog", "cat"))
    before = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8]], np.float32)
    after = np.column_stack((before, [0.95, 0.0, 0.0, 0.0])).astype(np.float32)
    dog, cat = compare_labels(held_out, before, ("dog", "cat"), after, ("dog", "cat", "owl"))
    assert dog.f1_before == 1.0
    assert dog.f1_after == pytest.approx(2 / 3)
    assert dog.lost_points == pytest.approx(100 / 3, abs=1e-5)
    assert dog.average_precision_after == 1.0  # it still has the highest scores of dog
    assert cat.lost_points == 0.0


def test_columns_are_found_by_their_labels():
    held_out = make_set([[1, 0], [0, 1]], ("dog", "cat"))
    scores = np.array([[0.9, 0.1], [0.1, 0.9]], np.float32)
    losses = compare_labels(held_out, scores, ("dog", "cat"), scores[:, ::-1], ("cat", "dog"))
    assert [each.lost_points for each in losses] == [0.0, 0.0]


def test_a_label_that_is_gone_is_lost():
    held_out = make_set([[1, 0], [0, 1]], ("dog", "cat"))
    scores = np.array([[0.9, 0.1], [0.1, 0.9]], np.float32)
    dog, cat = compare_labels(held_out, scores, ("dog", "cat"), scores[:, 1:], ("cat",))
    assert dog.lost_points == 100.0
    assert cat.f1_after == pytest.approx(2 / 3)  # the dog is now taken for a cat


def test_a_clip_of_none_of_the_labels_counts_from_a_half_on():
    held_out = make_set([[1], [0]], ("dog",))
    before = np.array([[0.9], [0.4]], np.float32)
    after = np.array([[0.9], [0.6]], np.float32)
    (dog,) = compare_labels(held_out, before, ("dog",), after, ("dog",))
    assert dog.f1_before == 1.0
    assert dog.f1_after == pytest.approx(2 / 3)


ANY_LABEL = frozenset[str]()


def held_out(*heard: str) -> RegressionSet:
    """A clip of each, of one patch."""
    targets = np.array([[label == each for label in LABELS] for each in heard], np.bool_)
    patches = np.zeros((len(heard), 96, 64), np.float16)
    return RegressionSet(LABELS, patches, np.arange(len(heard)), targets, np.ones_like(targets))


def test_without_required_labels_all_count():
    assert [is_required(label, ANY_LABEL) for label in LABELS] == [True] * 3
    assert [is_required(label, frozenset({"cat"})) for label in LABELS] == [False, True, False]


def test_what_is_missing_is_named_in_order():
    assert missing_labels(LABELS, frozenset({"owl", "dog", "bat"})) == ["bat", "owl"]
    assert missing_labels(LABELS, ANY_LABEL) == []


@pytest.mark.parametrize(
    ("required", "clips", "without_holdout"),
    [
        (ANY_LABEL, None, LABELS),
        (ANY_LABEL, held_out("dog"), ()),
        (frozenset({"dog", "cat"}), held_out("dog", "rain"), ("cat",)),
        (frozenset({"dog"}), held_out("dog"), ()),
        (frozenset({"dog"}), None, ("dog",)),
        (frozenset({"whistle"}), None, ()),  # it is new
    ],
)
def test_each_label_that_is_required_for_needs_a_clip(
    required: frozenset[str], clips: RegressionSet | None, without_holdout: tuple[str, ...]
):
    assert labels_without_holdout(LABELS, required, clips) == without_holdout

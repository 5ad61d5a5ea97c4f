"""Held-out clips inside a bundle: few, of every class, and judged as they were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from listener.detection.bundle import Bundle, BundleError
from listener.detection.clip import LabelSpan
from listener.detection.features import log_mel_patches
from listener.detection.params import FeatureParams
from tests.trainer.data.doubles import make_clip, make_table, write_samples
from trainer.data.clips import Clip
from trainer.evaluation.regression import (
    REGRESSION_FILE,
    RegressionSet,
    files_of,
    is_required,
    labels_without_holdout,
    make_regression_set,
    missing_labels,
    read_regression,
)
from trainer.export.arrays import arrays_as_bytes

LABELS = ("dog", "cat", "rain")


FEATURES = FeatureParams()


def clip(folder: Path, label: str, number: int, seconds: float = 2.0) -> Clip:
    path = write_samples(folder / f"{label}{number}.wav", np.zeros(round(seconds * 16_000)))
    return make_clip(path, label)


def test_the_classes_take_turns_while_there_is_room(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("trainer.evaluation.regression.MOST_CLIPS", 4)
    clips = [clip(tmp_path, "dog", n) for n in range(5)] + [clip(tmp_path, "cat", 0)]
    found = make_regression_set(make_table(*clips), ("cat", "dog"), FEATURES)
    assert found is not None
    assert found.targets.sum(axis=0).tolist() == [1, 3]


def test_a_clip_is_one_stretch_of_frames(tmp_path: Path):
    """4.8 s at most, and of a short clip what its patches cover: of 1 s two patches."""
    table = make_table(clip(tmp_path, "dog", 0, seconds=60.0), clip(tmp_path, "cat", 0, 1.0))
    found = make_regression_set(table, table.classes, FEATURES)
    assert found is not None
    assert found.frames.dtype == np.float16
    assert sorted(found.lengths.tolist()) == [96 + 48, 480]


@pytest.mark.parametrize("hop_seconds", [0.24, 0.48])
def test_the_patches_of_a_short_clip_are_those_of_the_station(tmp_path: Path, hop_seconds: float):
    samples = np.random.default_rng(0).normal(0.0, 0.1, 3 * 16_000)
    path = write_samples(tmp_path / "noise.wav", samples)
    features = replace(FEATURES, patch_hop_seconds=hop_seconds)
    found = make_regression_set(make_table(make_clip(path, "dog")), ("dog",), features)
    assert found is not None
    (patches,) = found.infer(lambda each: each, features)
    expected = log_mel_patches(samples.astype(np.float32), features)
    np.testing.assert_allclose(patches, expected, atol=4e-3)  # half precision


def test_clips_are_given_one_by_one_with_the_slots_of_the_station():
    """Of 96, 144 and 192 frames there are one, two and three patches at a hop of 48."""
    lengths = np.array([96, 144, 192])
    frames = np.repeat(np.arange(3), lengths)[:, None] * np.ones((1, 64))
    targets = np.eye(3, dtype=np.bool_)
    found = RegressionSet(LABELS, frames.astype(np.float16), lengths, targets, targets)
    scores = found.infer(lambda patches: patches[:, 0, :1], FEATURES)
    assert [each.ravel().tolist() for each in scores] == [[0.0], [1.0] * 2, [2.0] * 3]
    files = files_of(scores, FEATURES)
    assert [file.seconds for file in files] == pytest.approx([0.96, 1.44, 1.92])


def test_of_a_long_clip_the_labelled_part_is_kept(tmp_path: Path):
    """Noise from second 30 to 31, silence elsewhere; a cat, of which no span says when, is unknown."""
    samples = np.zeros(60 * 16_000)
    samples[30 * 16_000 : 31 * 16_000] = np.random.default_rng(0).normal(0.0, 0.1, 16_000)
    path = write_samples(tmp_path / "long.wav", samples)
    spans = (LabelSpan("dog", 30.0, 31.0),)
    long = Clip(path, frozenset({"dog"}), "long", 1, spans=spans, exhaustive=True)
    found = make_regression_set(make_table(long), ("dog",), FEATURES)
    assert found is not None
    loud = np.flatnonzero(found.frames.max(axis=1) > -4.0)  # log-mel of silence is -6.9
    assert len(loud) == pytest.approx(100, abs=3)
    assert 100 < loud[0] < loud[-1] < 380  # with silence on both sides
    assert found.targets.tolist() == [[True]]


def test_of_a_long_clip_without_spans_the_audible_part_is_kept(tmp_path: Path):
    samples = np.zeros(60 * 16_000)
    samples[50 * 16_000 : 52 * 16_000] = np.random.default_rng(0).normal(0.0, 0.1, 32_000)
    path = write_samples(tmp_path / "long.wav", samples)
    found = make_regression_set(make_table(make_clip(path, "dog")), ("dog",), FEATURES)
    assert found is not None
    assert (found.frames.max(axis=1) > -4.0).sum() == pytest.approx(200, abs=3)


def test_joined_sets_do_not_know_each_others_labels():
    """Two clips of dog and cat, then a longer one of cat and owl."""
    cats = make_set([[1, 0], [0, 1]], ("dog", "cat"))
    owl = replace(make_set([[0, 1]], ("cat", "owl")), lengths=np.array([192]))
    owl = replace(owl, frames=np.ones((192, 64), np.float16))
    joined = cats.joined_with(owl)
    assert joined.labels == ("dog", "cat", "owl")
    assert joined.lengths.tolist() == [96, 96, 192]
    assert joined.frames.sum() == 192 * 64
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
    for name in ("frames", "lengths", "targets", "known"):
        np.testing.assert_array_equal(getattr(found, name), getattr(made, name))


def test_another_file_of_that_name_is_refused(tones_bundle: Bundle, tmp_path: Path):
    with pytest.raises(BundleError, match="expected held-out clips"):
        read_regression(bundle_with(tones_bundle, tmp_path, b"torn"))


def bundle_with(bundle: Bundle, folder: Path, content: bytes) -> Bundle:
    (folder / REGRESSION_FILE).write_bytes(content)
    listed = {REGRESSION_FILE: "not looked at here"}
    manifest = replace(bundle.manifest, files=listed)
    return Bundle(folder, manifest)


def test_pieces_of_clips_in_an_older_bundle_are_joined(tones_bundle: Bundle, tmp_path: Path):
    """Version 0.2.0 wrote patches that do not overlap: here one of the dog and two of the cat."""
    patches = np.stack([np.full((96, 64), value) for value in (0.0, 1.0, 2.0)])
    older = arrays_as_bytes(
        labels=np.array(["dog", "cat"]),
        patches=patches.astype(np.float16),
        clips=np.array([0, 1, 1]),
        targets=np.eye(2, dtype=np.bool_),
        known=np.ones((2, 2), np.bool_),
    )
    found = read_regression(bundle_with(tones_bundle, tmp_path, older))
    assert found is not None
    assert found.lengths.tolist() == [96, 192]
    dog, cat = found.infer(lambda each: each.mean(axis=(1, 2))[:, None], FEATURES)
    assert (dog.ravel().tolist(), cat.ravel().tolist()) == ([0.0], [1.0, 1.5, 2.0])


def test_a_label_that_the_set_does_not_know_is_in_none_of_its_clips():
    targets, known = make_set([[1, 0], [0, 1]], ("dog", "cat")).targets_of(("cat", "owl", "dog"))
    assert targets.tolist() == [[False, False, True], [True, False, False]]
    assert known.all()


def make_set(targets: list[list[int]], labels: tuple[str, ...]) -> RegressionSet:
    known = np.array(targets) > 0
    frames, lengths = np.zeros((96 * len(known), 64), np.float16), np.full(len(known), 96)
    return RegressionSet(labels, frames, lengths, known, np.ones_like(known))


ANY_LABEL = frozenset[str]()


def held_out(*heard: str) -> RegressionSet:
    """A clip of each, of one patch."""
    return make_set([[label == each for label in LABELS] for each in heard], LABELS)


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

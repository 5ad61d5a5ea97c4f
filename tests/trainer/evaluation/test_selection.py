"""Which files, folds and classes a bundle knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from listener.detection.bundle import Bundle
from listener.detection.clip import LabelSpan
from trainer.data.clips import Clip, ClipTable
from trainer.errors import DataError
from trainer.evaluation.selection import (
    TRAINED,
    TRAINED_OR_TUNED,
    check_unseen,
    choose_clips,
    digest_files,
    match_classes,
    seen_paths,
    unseen_folds,
)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Four files of their own bytes."""
    paths = [tmp_path / f"{number}.wav" for number in range(4)]
    for path in paths:
        path.write_bytes(path.name.encode())
    return paths


@pytest.fixture
def taught(tones_bundle: Bundle, files: list[Path]) -> Bundle:
    """Trained on the first file, calibrated on the second."""
    known = {
        "training_files": digest_files(files[:1]),
        "calibration_files": digest_files(files[1:2]),
    }
    return replace(tones_bundle, manifest=replace(tones_bundle.manifest, provenance=known))


def table_of(files: list[Path]) -> ClipTable:
    clips = (Clip(path, frozenset({"x"}), path.stem, fold) for fold, path in enumerate(files, 1))
    return ClipTable(tuple(clips), ("x",))


def test_files_are_known_by_their_bytes(taught: Bundle, files: list[Path]):
    assert seen_paths(taught, files, TRAINED) == {files[0]}
    assert seen_paths(taught, files, TRAINED_OR_TUNED) == set(files[:2])


def test_what_policies_were_chosen_by_judges_no_more(taught: Bundle, files: list[Path]):
    with pytest.raises(DataError, match=r"tones@1 was calibrated on 1 of 3 files, .*1.wav the"):
        check_unseen(taught, files[1:])
    check_unseen(taught, files[1:], TRAINED)
    check_unseen(taught, files[2:])


def test_folds_without_a_known_file(taught: Bundle, files: list[Path]):
    assert unseen_folds(taught, table_of(files), TRAINED) == (2, 3, 4)
    assert unseen_folds(taught, table_of(files), TRAINED_OR_TUNED) == (3, 4)
    assert unseen_folds(taught, table_of(files[:1]), TRAINED) == (1,)  # then it is refused


def test_clips_of_the_folds_that_are_named_or_unseen(taught: Bundle, files: list[Path]):
    table = table_of(files)
    chosen = choose_clips(taught, table, (), TRAINED_OR_TUNED)
    assert [clip.path for clip in chosen.clips] == files[2:]
    assert len(choose_clips(taught, table, (1, 2), TRAINED).clips) == 2
    with pytest.raises(DataError, match=r"folds: expected some of \[1, 2, 3, 4\], got \[9\]"):
        choose_clips(taught, table, (9,), TRAINED)


def labelled(label: str, *spans: LabelSpan) -> Clip:
    return Clip(Path("x.wav"), frozenset({label}), "x", 1, spans=spans, exhaustive=True)


def test_classes_become_labels(tones_bundle: Bundle):
    """One class is a name for people, the other a slug."""
    span = LabelSpan("High tone", 2.0, 5.0)
    clips = (labelled("low_tone"), labelled("High tone"), labelled("High tone", span))
    matched = match_classes(ClipTable(clips, ("High tone", "low_tone")), tones_bundle)
    assert matched.classes == ("low_tone", "high_tone")
    assert [each.labels for each in matched.clips] == [
        {"low_tone"},
        {"high_tone"},
        {"high_tone"},
    ]
    assert matched.clips[2].spans == (LabelSpan("high_tone", 2.0, 5.0),)


def test_background_is_none_of_the_labels(tones_bundle: Bundle):
    table = ClipTable((labelled("background"),), ("low_tone", "background"))
    matched = match_classes(table, tones_bundle)
    assert (matched.classes, matched.clips[0].labels) == (("low_tone",), frozenset())


def test_a_class_that_the_bundle_does_not_know_is_refused(tones_bundle: Bundle):
    table = ClipTable((labelled("dog"),), ("dog",))
    with pytest.raises(DataError, match=r"class 'dog': expected a label of tones@1 \(low_tone"):
        match_classes(table, tones_bundle)

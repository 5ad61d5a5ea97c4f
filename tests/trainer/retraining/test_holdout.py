"""Clips of a new label that check later bundles: kept from training where there are enough recordings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from listener.detection.bundle import Bundle
from listener.detection.clip import LabelSpan
from tests.trainer.stores import RATE_HZ, StoreWriter, said
from trainer.data.clip_store import read_store
from trainer.data.preparation import digest_file
from trainer.retraining.verdicts import (
    MOST_CLIPS,
    HeldOutLabel,
    Holdout,
    Verdicts,
    hold_out,
    read_verdicts,
)

OWL = said("labels", LabelSpan("owl", 0.0, 1.0))


def write_store(root: Path, owls: int, rooms: int) -> Path:
    """Owls, each in the next room, and two low tones; no two files are the same."""
    for number in range(owls):
        level = (1 + number) / (1 + owls)
        writer = StoreWriter(root, source=f"room{number % rooms}")
        writer._count = number
        writer.add(np.full(RATE_HZ, level, np.float32), "missed", verdict=OWL)
    writer = StoreWriter(root, source="hall")
    for level in (0.1, 0.2):
        writer.add(np.full(RATE_HZ, level, np.float32), label="low_tone", verdict=said("right"))
    return root


def read(root: Path, base: Bundle) -> Verdicts:
    return read_verdicts(read_store(root), base, new_classes=True)


def hold_out_of(root: Path, base: Bundle) -> Holdout:
    return hold_out(read(root, base), base)


def test_of_few_recordings_all_are_trained_on_and_checked_by(tones_bundle: Bundle, tmp_path: Path):
    """Twelve clips, but of nine rooms in one hour."""
    holdout = hold_out_of(write_store(tmp_path, 12, 9), tones_bundle)
    assert len(holdout.judged) == 14
    assert holdout.labels == (HeldOutLabel("owl", 12, learnt=True),)
    assert all(clip.labels == {"owl"} for clip in holdout.clips)
    assert holdout.files == frozenset()


def test_of_ten_recordings_one_is_held_out_with_all_its_clips(tones_bundle: Bundle, tmp_path: Path):
    holdout = hold_out_of(write_store(tmp_path, 20, 10), tones_bundle)
    assert holdout.labels == (HeldOutLabel("owl", 2, learnt=False),)
    (group,) = {clip.group for clip in holdout.clips}
    assert group not in {each.clip.group for each in holdout.judged}
    assert len(holdout.judged) == 18 + 2
    assert holdout.files == {digest_file(clip.path) for clip in holdout.clips}


def test_what_was_held_out_once_stays_held_out_when_the_label_is_known(
    tones_bundle: Bundle, tmp_path: Path
):
    root = write_store(tmp_path, 20, 10)
    first = hold_out_of(root, tones_bundle)
    known = {"held_files": sorted(first.files)}
    later = Bundle(tones_bundle.path, replace(tones_bundle.manifest, provenance=known))
    verdicts = replace(read(root, later), new_labels=())
    holdout = hold_out(verdicts, later)
    assert [each.clip.path for each in holdout.judged] == [e.clip.path for e in first.judged]
    assert (holdout.clips, holdout.labels) == ((), ())
    assert holdout.files == first.files


@pytest.mark.parametrize(("owls", "kept"), [(20, 20), (21, 11), (45, 15)])
def test_many_clips_are_thinned_out_evenly(
    tones_bundle: Bundle, tmp_path: Path, owls: int, kept: int
):
    holdout = hold_out_of(write_store(tmp_path, owls, 1), tones_bundle)
    assert len(holdout.clips) == kept <= MOST_CLIPS

"""Clips of a new label that later bundles are judged by: spared, where there are recordings enough."""

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
from trainer.retraining.holdout import MOST_CLIPS, Holdout, Kept, spare_some
from trainer.retraining.verdicts import Verdicts, read_verdicts

OWL = said("labels", LabelSpan("owl", 0.0, 1.0))


def write_store(root: Path, owls: int, rooms: int) -> Path:
    """Owls, each in the next room, and two low tones; every file is another one."""
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


def spare(root: Path, base: Bundle) -> Holdout:
    return spare_some(read(root, base), base)


def test_of_few_recordings_all_are_learnt_from_and_judged_by(tones_bundle: Bundle, tmp_path: Path):
    """Twelve clips, but of nine rooms in one hour."""
    sparing = spare(write_store(tmp_path, 12, 9), tones_bundle)
    assert len(sparing.judged) == 14
    assert sparing.kept == (Kept("owl", 12, learnt=True),)
    assert all(clip.labels == {"owl"} for clip in sparing.held)
    assert sparing.spared_files == frozenset()


def test_of_ten_recordings_one_is_spared_with_all_its_clips(tones_bundle: Bundle, tmp_path: Path):
    sparing = spare(write_store(tmp_path, 20, 10), tones_bundle)
    assert sparing.kept == (Kept("owl", 2, learnt=False),)
    (group,) = {clip.group for clip in sparing.held}
    assert group not in {each.clip.group for each in sparing.judged}
    assert len(sparing.judged) == 18 + 2
    assert sparing.spared_files == {digest_file(clip.path) for clip in sparing.held}


def test_what_was_spared_once_is_spared_when_the_label_is_known(
    tones_bundle: Bundle, tmp_path: Path
):
    root = write_store(tmp_path, 20, 10)
    first = spare(root, tones_bundle)
    known = {"held_files": sorted(first.spared_files)}
    later = Bundle(tones_bundle.path, replace(tones_bundle.manifest, provenance=known))
    station = replace(read(root, later), new_labels=())
    sparing = spare_some(station, later)
    assert [each.clip.path for each in sparing.judged] == [e.clip.path for e in first.judged]
    assert (sparing.held, sparing.kept) == ((), ())
    assert sparing.spared_files == first.spared_files


@pytest.mark.parametrize(("owls", "kept"), [(20, 20), (21, 11), (45, 15)])
def test_many_clips_are_thinned_out_evenly(
    tones_bundle: Bundle, tmp_path: Path, owls: int, kept: int
):
    sparing = spare(write_store(tmp_path, owls, 1), tones_bundle)
    assert len(sparing.held) == kept <= MOST_CLIPS

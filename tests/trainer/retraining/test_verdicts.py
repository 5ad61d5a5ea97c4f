"""A name that the bundle does not know and no person gave is no new label: its clips are left out."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from listener.detection.bundle import Bundle
from listener.detection.clip import GroupMembers, LabelSpan
from tests.trainer.stores import StoreWriter, said
from trainer.data.clip_store import read_store
from trainer.errors import DataError
from trainer.retraining.verdicts import FEWEST_CLIPS, Verdicts, read_verdicts

SECOND = np.zeros(16_000, np.float32)
BEEPER = (GroupMembers("beeper", ("high_tone", "low_tone")),)


@pytest.fixture
def store(tmp_path: Path) -> StoreWriter:
    return StoreWriter(tmp_path / "clips")


def read(store: StoreWriter, base: Bundle) -> Verdicts:
    return read_verdicts(read_store(store.root), base, new_classes=True)


def span(label: str) -> LabelSpan:
    return LabelSpan(label, 0.0, 1.0)


def test_a_verdict_on_a_group_is_one_on_its_members(store: StoreWriter, tones_bundle: Bundle):
    for _ in range(FEWEST_CLIPS):
        store.add(SECOND, label="beeper", verdict=said("right"), groups=BEEPER)
    store.add(SECOND, label="beeper", verdict=said("wrong"), groups=BEEPER)
    missed = said("labels", span("beeper"))
    store.add(SECOND, "missed", verdict=missed, groups=BEEPER)
    verdicts = read(store, tones_bundle)
    assert verdicts.new_labels == ()
    *right, wrong, named = (each.clip for each in verdicts.judged)
    assert {clip.labels for clip in right} == {frozenset({"high_tone"})}
    assert wrong.negatives == {"high_tone", "low_tone"}
    assert named.labels == {"high_tone"}
    assert named.unknown == {"low_tone"}


def test_a_group_corrected_to_its_member_is_not_corrected(store: StoreWriter, tones_bundle: Bundle):
    """The bundle's scores of its other clips may be kept, but not once it was another sound."""
    store.add(SECOND, label="beeper", verdict=said("labels", span("low_tone")), groups=BEEPER)
    store.add(SECOND, label="beeper", groups=BEEPER)
    assert len(read(store, tones_bundle).unjudged) == 1
    store.add(SECOND, label="beeper", verdict=said("labels", span("noise")), groups=BEEPER)
    assert read(store, tones_bundle).unjudged == ()


@pytest.mark.parametrize("groups", [BEEPER, ()])
def test_a_group_without_members_in_the_clip_becomes_no_label(
    store: StoreWriter, tones_bundle: Bundle, caplog: pytest.LogCaptureFixture, groups
):
    """Another clip of the store knows it as a group; or only an older station gave the name."""
    for _ in range(FEWEST_CLIPS):
        store.add(SECOND, label="beeper", verdict=said("right"))
    store.add(SECOND, label="low_tone", verdict=said("right"), groups=groups)
    with caplog.at_level(logging.WARNING):
        verdicts = read(store, tones_bundle)
    assert verdicts.new_labels == ()
    assert [each.clip.labels for each in verdicts.judged] == [{"low_tone"}]
    assert verdicts.ambient == ()  # a label was detected in them
    assert f"beeper: {FEWEST_CLIPS} clips left out: it is the name of a group" in caplog.text


def test_a_known_group_becomes_no_label_even_if_people_wrote_its_name(
    store: StoreWriter, tones_bundle: Bundle
):
    for _ in range(FEWEST_CLIPS):
        store.add(SECOND, "missed", verdict=said("labels", span("beeper")))
    assert read(store, tones_bundle).new_labels == ("beeper",)  # nothing tells that it is a group
    store.add(SECOND, label="beeper", verdict=said("right"), groups=BEEPER)
    verdicts = read(store, tones_bundle)
    assert verdicts.new_labels == ()
    assert len(verdicts.judged) == 1


def test_a_name_that_a_program_gave_is_a_new_label_once_people_use_it(
    store: StoreWriter, tones_bundle: Bundle
):
    """The label of a later bundle, added to an earlier one."""
    store.add(SECOND, "missed", verdict=said("labels", span("whistle")))
    for _ in range(FEWEST_CLIPS):
        store.add(SECOND, label="whistle", verdict=said("right"))
    assert read(store, tones_bundle).new_labels == ("whistle",)


def test_nothing_but_unclear_verdicts_is_refused(store: StoreWriter, tones_bundle: Bundle):
    store.add(SECOND, label="beeper", verdict=said("right"))
    with pytest.raises(DataError, match="expected clips with a verdict"):
        read(store, tones_bundle)

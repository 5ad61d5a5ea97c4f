"""A clip store as training data: clips with a verdict are used, others are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from listener.detection.clip import GroupMembers, LabelSpan, with_verdict
from tests.trainer.stores import NOON, StoreWriter, said
from trainer.data.clip_store import is_quiet, learnable, read_store
from trainer.data.formats import read_clips
from trainer.errors import DataError

SECOND = np.zeros(16_000, np.float32)


@pytest.fixture
def store(tmp_path: Path) -> StoreWriter:
    return StoreWriter(tmp_path / "clips")


def test_right_is_its_label_within_its_span(store: StoreWriter):
    clip = learnable(store.add(SECOND, label="dog", verdict=said("right")))
    assert clip is not None
    assert clip.labels == {"dog"}
    assert clip.spans == (LabelSpan("dog", 0.0, 1.0),)
    assert not clip.exhaustive


def test_wrong_is_a_negative_and_nothing_else(store: StoreWriter):
    clip = learnable(store.add(SECOND, label="dog", verdict=said("wrong")))
    assert clip is not None
    assert not clip.labels
    assert clip.negatives == {"dog"}
    assert not clip.exhaustive


def test_labels_make_the_clip_exhaustive(store: StoreWriter):
    spans = LabelSpan("cat", 0.0, 0.5), LabelSpan("rain", 0.2, 1.0)
    clip = learnable(store.add(SECOND, label="dog", verdict=said("labels", *spans)))
    assert clip is not None
    assert clip.labels == {"cat", "rain"}
    assert clip.spans == spans
    assert clip.exhaustive


DOG = (GroupMembers("dog", ("bark", "howl", "yip")),)


def test_right_of_a_group_is_its_top_member(store: StoreWriter):
    clip = learnable(store.add(SECOND, label="dog", verdict=said("right"), groups=DOG))
    assert clip is not None
    assert clip.labels == {"bark"}
    assert clip.spans == (LabelSpan("bark", 0.0, 1.0),)
    assert not clip.negatives
    assert not clip.exhaustive


def test_wrong_of_a_group_denies_all_its_members(store: StoreWriter):
    clip = learnable(store.add(SECOND, label="dog", verdict=said("wrong"), groups=DOG))
    assert clip is not None
    assert not clip.labels
    assert clip.negatives == {"bark", "howl", "yip"}


def test_a_group_among_the_labels_is_its_top_member_and_the_others_are_unknown(
    store: StoreWriter,
):
    spans = LabelSpan("dog", 0.0, 0.5), LabelSpan("howl", 0.5, 1.0), LabelSpan("rain", 0.0, 1.0)
    clip = learnable(store.add(SECOND, "missed", verdict=said("labels", *spans), groups=DOG))
    assert clip is not None
    assert clip.spans == (LabelSpan("bark", 0.0, 0.5), *spans[1:])
    assert clip.labels == {"bark", "howl", "rain"}
    assert clip.exhaustive
    assert clip.unknown == {"yip"}


@pytest.mark.parametrize("reason", ["ambient", "near_miss", "event"])
def test_no_labels_mean_background(store: StoreWriter, reason):
    clip = learnable(store.add(SECOND, reason, verdict=said("labels")))
    assert clip is not None
    assert clip.labels == {"background"}
    assert clip.exhaustive


def test_only_ambient_clips_need_no_verdict(store: StoreWriter):
    ambient = learnable(store.add(SECOND, "ambient"))
    assert ambient is not None
    assert ambient.labels == {"background"}
    assert learnable(store.add(SECOND, "event", "dog")) is None
    assert learnable(store.add(SECOND, "near_miss", "dog")) is None
    assert learnable(store.add(SECOND, "missed")) is None
    assert learnable(store.add(SECOND, "missed", verdict=said("right"))) is None


def test_an_ambient_clip_is_quiet_until_a_label_is_set(store: StoreWriter):
    assert is_quiet(store.add(SECOND, "ambient"))
    assert is_quiet(store.add(SECOND, "ambient", verdict=said("labels")))
    heard = said("labels", LabelSpan("dog", 0.0, 1.0))
    assert not is_quiet(store.add(SECOND, "ambient", verdict=heard))
    assert not is_quiet(store.add(SECOND, "near_miss", "dog"))


def test_the_last_verdict_counts(store: StoreWriter):
    record = store.add(SECOND, label="dog", verdict=said("right"))
    clip = learnable(with_verdict(record, said("wrong")))
    assert clip is not None
    assert clip.negatives == {"dog"}


def test_a_store_is_data(store: StoreWriter):
    store.add(SECOND, label="dog", verdict=said("right"))
    store.add(SECOND, label="cat", verdict=said("right"))
    store.add(SECOND, label="dog", verdict=said("wrong"))
    store.add(SECOND, label="dog")
    store.add(SECOND, "ambient")
    table = read_clips([store.root])
    assert table.classes == ("cat", "dog", "background")
    assert len(table.clips) == 4


def test_clips_of_a_source_in_one_hour_are_of_one_recording(store: StoreWriter):
    here = [learnable(store.add(SECOND, "ambient")) for _ in range(61)]
    there = learnable(StoreWriter(store.root, "yard").add(SECOND, "ambient"))
    groups = [clip.group for clip in (*here, there) if clip is not None]
    assert len(set(groups[:60])) == 1
    assert len(set(groups)) == 3
    assert groups[0] == "store/hall/2026-11-21T12"
    assert NOON % 3600 == 0


def test_a_torn_sidecar_is_quarantined(store: StoreWriter):
    kept = store.add(SECOND, "ambient")
    torn = store.add(SECOND, "ambient").path.with_suffix(".json")
    torn.write_text('{"id"')
    found = read_store(store.root)
    assert [record.id for record in found.records] == [kept.id]
    assert [left_out.path for left_out in found.quarantined] == [torn]


def test_a_store_without_verdicts_is_refused(store: StoreWriter):
    store.add(SECOND, label="dog")
    with pytest.raises(DataError, match="expected clips with a verdict or of reason ambient"):
        read_clips([store.root])


def test_another_folder_is_not_a_store(tmp_path: Path):
    with pytest.raises(DataError, match="expected a clip store"):
        read_store(tmp_path)

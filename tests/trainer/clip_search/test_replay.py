"""Stored clips through two bundles: what is gone, what is new, where to listen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from listener.detection.bundle import Bundle
from listener.detection.clip import ClipRecord
from listener.detection.clip_files import write_sidecar
from listener.detection.policy import LabelPolicy
from tests.trainer.stores import MINUTE, NOON, RATE_HZ, StoreWriter
from tests.trainer.training.tones import tone
from trainer.clip_search.replay import parse_since, replay
from trainer.errors import DataError


def silence(seconds: float):
    return np.zeros(round(seconds * RATE_HZ), np.float32)


@pytest.fixture
def deaf_to_low(tones_bundle: Bundle) -> Bundle:
    """The tones bundle that hears no low tone."""
    policies = tones_bundle.manifest.policies | {"low_tone": LabelPolicy(1.0, 1.0)}
    manifest = replace(tones_bundle.manifest, version=2, policies=policies)
    return Bundle(tones_bundle.path, manifest)


@pytest.fixture
def store(tmp_path: Path) -> StoreWriter:
    """A low tone from second 4 to 8 at noon; a minute later a high one."""
    writer = StoreWriter(tmp_path / "clips")
    writer.add(np.concatenate((silence(4), tone(500.0, 0.5, 4.0), silence(4))), label="low_tone")
    writer.add(np.concatenate((silence(4), tone(3000.0, 0.5, 4.0), silence(4))), label="high_tone")
    return writer


def test_what_is_gone_says_where_to_listen(
    store: StoreWriter, tones_bundle: Bundle, deaf_to_low: Bundle
):
    found = replay(store.root, tones_bundle, deaf_to_low)
    gone, same = found.events
    assert (gone.change, gone.label, gone.source) == ("gone", "low_tone", "hall")
    assert gone.onset == pytest.approx(4.0, abs=0.5)
    assert gone.offset == pytest.approx(8.0, abs=0.5)
    assert gone.at == pytest.approx(NOON + gone.onset)
    assert Path(gone.path).stem == gone.clip
    assert (same.change, same.label) == ("same", "high_tone")
    assert [found.count("low_tone", change) for change in ("same", "gone", "new")] == [0, 1, 0]


def test_the_other_way_round_it_is_new(
    store: StoreWriter, tones_bundle: Bundle, deaf_to_low: Bundle
):
    found = replay(store.root, deaf_to_low, tones_bundle)
    assert [(each.change, each.label) for each in found.events] == [
        ("new", "low_tone"),
        ("same", "high_tone"),
    ]


def test_only_clips_captured_since_then_are_compared(
    store: StoreWriter, tones_bundle: Bundle, deaf_to_low: Bundle
):
    found = replay(store.root, tones_bundle, deaf_to_low, since=NOON + MINUTE)
    assert (found.clips, [each.label for each in found.events]) == (1, ["high_tone"])
    with pytest.raises(DataError, match="expected clips in that time, found none"):
        replay(store.root, tones_bundle, deaf_to_low, since=NOON + 2 * MINUTE)


def test_an_event_in_two_clips_counts_once(
    store: StoreWriter, tones_bundle: Bundle, deaf_to_low: Bundle
):
    """Another label made a clip of the same twelve seconds, three of them later."""
    later = store.add(np.concatenate((silence(1), tone(500.0, 0.5, 4.0), silence(4))))
    _move(later, NOON + 3.0)
    found = replay(store.root, tones_bundle, deaf_to_low)
    assert found.clips == 3
    assert found.count("low_tone", "gone") == 1


def _move(record: ClipRecord, captured_at: float) -> None:
    write_sidecar(replace(record, captured_at=captured_at))


def test_a_clip_that_cannot_be_read_is_counted(store: StoreWriter, tones_bundle: Bundle):
    broken = store.add(silence(1), label="low_tone")
    broken.path.write_bytes(b"not audio")
    found = replay(store.root, tones_bundle, tones_bundle)
    assert (found.clips, found.unreadable) == (2, 1)
    assert all(each.change == "same" for each in found.events)


NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "then"),
    [
        ("7d", datetime(2026, 11, 14, 12, tzinfo=UTC)),
        ("1.5h", datetime(2026, 11, 21, 10, 30, tzinfo=UTC)),
        ("30m", datetime(2026, 11, 21, 11, 30, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T08:00:00+02:00", datetime(2026, 11, 20, 6, tzinfo=UTC)),
    ],
)
def test_a_time_is_parsed(text: str, then: datetime):
    assert parse_since(text, NOW) == then.timestamp()


@pytest.mark.parametrize("text", ["", "week", "7", "d", "-7d", "2026-13-01"])
def test_text_that_is_not_a_time_is_refused(text: str):
    with pytest.raises(ValueError, match="expected 7d, 12h, 30m or a date"):
        parse_since(text, NOW)

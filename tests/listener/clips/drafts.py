"""Cuttings with known content."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from listener.clips.store import ClipStore
from listener.config.station import ClipsSettings
from listener.detection.clip import (
    ClipAnalysis,
    ClipDraft,
    ClipRecord,
    LabelScore,
    LabelSpan,
    Verdict,
)
from listener.detection.event import SoundEvent, event_id
from tests.listener.detection.waveforms import RATE_HZ, sine

DAY_SECONDS = 86_400.0
NOON = 1_795_262_400.0  # 2026-11-21T12:00:00Z: 20 778 days and a half
LABELS = ("dog", "glass")
SECONDS = 2.0
SLOTS = 4


def clip_id(number: int, at: float = NOON) -> str:
    """The id of the clip of a number, one second after the one before."""
    return event_id("test", "hall", "dog", at + number)


def make_draft(
    number: int = 0,
    *,
    at: float = NOON,
    embedding: Sequence[float] = (1.0, 0.0),
    seconds: float = SECONDS,
    **changes: Any,
) -> ClipDraft:
    """A dog, from 0.5 to 1.5 s of a clip of 2 s, with four slots that all have the same embedding."""
    captured_at = at + number
    id_ = clip_id(number, at)
    event = SoundEvent(
        id_, "hall", "dog", captured_at + 0.5, captured_at + 1.5, 0.9, 0.8, -20.5, "test@1"
    )
    values: dict[str, Any] = {
        "id": id_,
        "path": Path(f"{id_}.flac"),
        "source": "hall",
        "captured_at": captured_at,
        "seconds": seconds,
        "reason": "event",
        "event": event,
        "labels": (LabelSpan("dog", 0.5, 1.5),),
        "bundle": "test@1",
        "score": 0.9,
        "on_threshold": 0.5,
        "top": (LabelScore("dog", 0.9), LabelScore("glass", 0.1)),
    }
    analysis = ClipAnalysis(
        LABELS,
        np.linspace(0.0, seconds, SLOTS + 1),
        np.tile(np.array([0.75, 0.25], np.float16), (SLOTS, 1)),
        np.tile(np.array(embedding, np.float16), (SLOTS, 1)),
    )
    record = ClipRecord(**values | changes)
    return ClipDraft(record, RATE_HZ, sine(440.0, seconds, 0.5), analysis)


def settings(directory: Path, **changes: Any) -> ClipsSettings:
    """Clips are on, in `directory`."""
    return ClipsSettings(enabled=True, directory=directory, **changes)


class Opener(Protocol):
    """Opens stores."""

    def __call__(self, directory: Path, **changes: Any) -> ClipStore:
        """As `open_store` does."""


def open_store(directory: Path, **changes: Any) -> ClipStore:
    """A store in a folder of `directory`."""
    return ClipStore(settings(directory / "clips", **changes), LABELS, time.time)


def right(who: str = "anna", at: float = NOON) -> Verdict:
    """The clip holds what it stands for."""
    return Verdict("right", who, at)


def heard(label: str, onset: float = 0.0, offset: float = 1.0) -> Verdict:
    """The clip holds this and nothing else."""
    return Verdict("labels", "anna", NOON, (LabelSpan(label, onset, offset),))

"""How much a verdict on a clip would teach: the order of the review queue."""

from __future__ import annotations

from listener.detection.clip import ClipRecord

_FAR_FROM_THRESHOLD = 0.5  # a score so far from it says that the station is sure
_ASKED_FOR = 2.0  # somebody heard something there
_NEWNESS_SECONDS = 7 * 86_400.0  # a week of age outweighs the closest score


def urgency(record: ClipRecord) -> float:
    """Higher comes first: scores close to the threshold, labels that contend, missed ones, new ones.

    It does not depend on now: all clips age alike, so that their order stays.
    """
    asked_for = _ASKED_FOR if record.reason == "missed" else 0.0
    newness = record.captured_at / _NEWNESS_SECONDS
    return _closeness(record) + _contention(record) + asked_for + newness


def _closeness(record: ClipRecord) -> float:
    """1 at the threshold, 0 far from it or without a label."""
    if record.score is None or record.on_threshold is None:
        return 0.0
    return 1.0 - min(1.0, abs(record.score - record.on_threshold) / _FAR_FROM_THRESHOLD)


def _contention(record: ClipRecord) -> float:
    """How loudly a second label claims the clip, [0, 1]."""
    return record.top[1].score if len(record.top) > 1 else 0.0

"""The picture of a clip: its log-mel, and its scores on the same axis of time."""

from __future__ import annotations

from typing import Any

import numpy as np

from listener.detection.audio import AudioChunk, ChunkResampler, Samples
from listener.detection.clip import ClipAnalysis, ClipRecord
from listener.detection.clip_files import read_audio
from listener.detection.features import LogMel, make_front_end
from listener.detection.params import FeatureParams
from listener.review.documents import pixels

_PARAMS = FeatureParams()
_MOST_COLUMNS = 1500  # of a picture: as wide as a screen shows
_MOST_LABELS = 5


def clip_picture(record: ClipRecord, analysis: ClipAnalysis) -> dict[str, Any]:
    """`log_mel` of `columns` x `bands` bytes; `boundaries` of the slots in seconds; `scores` by label.

    The labels are the one that the clip stands for, and those with the highest scores.

    Raises:
        ClipError: the audio cannot be read.
    """
    log_mel = _narrowed(_log_mel(*read_audio(record)))
    return {
        "seconds": record.seconds,
        "columns": len(log_mel),
        "bands": _PARAMS.mel_bands,
        "log_mel": pixels(log_mel),
        "boundaries": np.round(analysis.boundaries, 3).tolist(),
        "scores": _scores(record, analysis),
    }


def _log_mel(samples: Samples, sample_rate_hz: int) -> LogMel:
    chunk = AudioChunk("", 0, 0.0, sample_rate_hz, samples)
    resampler = ChunkResampler(_PARAMS.sample_rate_hz)
    parts = [resampler.push(chunk).samples, resampler.finish(chunk).samples]
    return make_front_end(_PARAMS)(np.concatenate(parts))


def _narrowed(log_mel: LogMel) -> LogMel:
    """At most _MOST_COLUMNS, each the loudest of those that it stands for."""
    step = -(-len(log_mel) // _MOST_COLUMNS)
    if step <= 1:
        return log_mel
    return np.maximum.reduceat(log_mel, np.arange(0, len(log_mel), step))


def _scores(record: ClipRecord, analysis: ClipAnalysis) -> dict[str, list[float]]:
    if not len(analysis.scores):
        return {}
    order = np.argsort(-analysis.scores.max(axis=0), kind="stable")
    own = [label for label in analysis.labels if label == record.label]
    ranked = [*own, *(analysis.labels[column] for column in order)]
    labels = list(dict.fromkeys(ranked))[:_MOST_LABELS]
    columns = [analysis.labels.index(label) for label in labels]
    rounded = np.round(analysis.scores[:, columns].astype(np.float64), 3)
    return dict(zip(labels, rounded.T.tolist(), strict=True))

"""A clip's waveform, as the daemon would hear it: its mono mix, its resampler."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from listener.detection.audio import AudioChunk, ChunkResampler, Samples, zero_nonfinite
from trainer.data.clips import Clip
from trainer.data.decoding import decode, first_seconds
from trainer.errors import DataError

LONGEST_SECONDS = 3600.0  # 230 MB at 16 kHz; a clip is held in memory as a whole


def read_audio(clip: Clip, sample_rate_hz: int) -> Samples:
    """The clip's cut of its file: float32 (n,), mono, [-1, 1], at `sample_rate_hz`; n > 0.

    A cut that reaches past the end of the file ends there.

    Raises:
        DataError: unreadable, no sample, not a number, or longer than an hour.
    """
    chunks = decode(clip.path, clip.onset)
    if clip.seconds is not None:
        chunks = first_seconds(chunks, clip.seconds)
    samples = _resample((_checked(chunk) for chunk in chunks), sample_rate_hz)
    if not len(samples):
        raise DataError(f"{clip.path}: expected audio{_from(clip.onset)}, found no sample")
    return samples


def _resample(chunks: Iterable[AudioChunk], sample_rate_hz: int) -> Samples:
    resampler = ChunkResampler(sample_rate_hz)
    pieces, last = [], None
    for last in chunks:
        pieces.append(resampler.push(last).samples)
    if last is None:
        return np.empty(0, np.float32)
    pieces.append(resampler.finish(last).samples)
    return np.concatenate(pieces)


def _checked(chunk: AudioChunk) -> AudioChunk:
    if chunk.ended_at > LONGEST_SECONDS:
        raise DataError(f"{chunk.source}: expected at most {LONGEST_SECONDS:g} s, it is longer")
    _, bad = zero_nonfinite(chunk.samples)
    if bad:
        raise DataError(f"{chunk.source}: expected numbers near [-1, 1], {bad} samples are not")
    return chunk


def _from(onset: float) -> str:
    return f" from {onset:g} s on" if onset else ""

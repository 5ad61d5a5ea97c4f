"""A clip's waveform, as the daemon would hear it: its mono mix, its resampler."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from listener.detection.audio import (
    AudioChunk,
    ChunkResampler,
    Samples,
    mix_to_mono,
    zero_nonfinite,
)
from trainer.data.clips import Clip
from trainer.errors import DataError

_BLOCK_SAMPLES = 65_536
LONGEST_SECONDS = 3600.0  # 230 MB at 16 kHz; a clip is held in memory as a whole


# Audio files of any codec, rate and number of channels -> chunks of mono samples at the file's rate.


def decode(path: Path, onset: float = 0.0) -> Iterator[AudioChunk]:
    """The file from `onset` (seconds) on; `start` counts from there. No chunk if the file ends before.

    Raises:
        DataError: no file, an empty one, or nothing that libsndfile or FFmpeg decodes to its end.
    """
    _check_file(path)
    try:
        file = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        yield from _chunks(path, _decode_with_ffmpeg(path, onset, error.error_string))
        return
    with file:
        yield from _chunks(path, _decode_with_libsndfile(path, file, onset))


def _check_file(path: Path) -> None:
    if not path.is_file():  # a pipe would wait for its writer
        raise DataError(
            f"{path}: expected a file, found {'something else' if path.exists() else 'none'}"
        )
    if path.stat().st_size == 0:
        raise DataError(f"{path}: expected audio, the file is empty")


_Block = tuple[int, NDArray[np.float32]]  # sample rate in Hz; float32 (n, channels)


def _chunks(path: Path, blocks: Iterable[_Block]) -> Iterator[AudioChunk]:
    start = 0
    for rate, pcm in blocks:
        chunk = AudioChunk(str(path), start, start / rate, rate, mix_to_mono(pcm))
        start = chunk.end
        yield chunk


def _decode_with_libsndfile(
    path: Path, file: soundfile.SoundFile, onset: float
) -> Iterator[_Block]:
    first = round(onset * file.samplerate)
    if first >= file.frames:
        return
    try:
        file.seek(first)
        for pcm in file.blocks(_BLOCK_SAMPLES, dtype="float32", always_2d=True):
            yield file.samplerate, pcm
    except soundfile.LibsndfileError as error:
        raise DataError(f"{path}: cannot be decoded to its end: {error.error_string}") from error


def _decode_with_ffmpeg(path: Path, onset: float, other_reason: str) -> Iterator[_Block]:
    av = _load_av(path, other_reason)
    try:
        with closing(av.open(str(path))) as container:
            if not container.streams.audio:
                raise DataError(f"{path}: expected audio, found no audio track")
            yield from _skip(_frames(path, av, container), onset)
    except av.FFmpegError as error:
        raise DataError(f"{path}: libsndfile: {other_reason} FFmpeg: {error}") from error


def _load_av(path: Path, other_reason: str) -> Any:
    try:
        av = importlib.import_module("av")
    except ImportError as error:
        raise DataError(
            f"{path}: {other_reason} For other codecs: pip install 'earshot[streams]'"
        ) from error
    av.logging.set_level(None)  # what goes wrong comes as an error
    return av


def _frames(path: Path, av: Any, container: Any) -> Iterator[_Block]:
    to_float = av.AudioResampler(format="fltp")  # neither rate nor channels
    for frame in container.decode(audio=0):
        try:
            converted = to_float.resample(frame)
        except ValueError as error:
            raise DataError(f"{path}: the rate or the channels change on the way") from error
        for floats in converted:
            yield floats.sample_rate, floats.to_ndarray().T


def _skip(blocks: Iterable[_Block], onset: float) -> Iterator[_Block]:
    """Leave out what is before `onset`; it is decoded all the same, for FFmpeg's seeking is not exact."""
    end = 0
    for rate, pcm in blocks:
        begin, end = end, end + len(pcm)
        first = min(max(round(onset * rate) - begin, 0), len(pcm))
        if first < len(pcm):
            yield rate, pcm[first:]


def first_seconds(chunks: Iterable[AudioChunk], seconds: float) -> Iterator[AudioChunk]:
    """The chunks up to `seconds` after the first sample."""
    for chunk in chunks:
        left = round(seconds * chunk.sample_rate_hz) - chunk.start
        if left <= 0:
            return
        yield _shortened(chunk, left)


def _shortened(chunk: AudioChunk, count: int) -> AudioChunk:
    samples: Samples = chunk.samples[:count]
    return AudioChunk(chunk.source, chunk.start, chunk.captured_at, chunk.sample_rate_hz, samples)


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

"""A clip's waveform, mixed to mono and resampled as the daemon does it."""

import importlib
import logging
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from listener.detection import audio
from listener.sources.recording import Recording
from listener.sources.source import SourceError
from trainer.data.clips import Clip
from trainer.errors import DataError

log = logging.getLogger(__name__)

_BLOCK_SAMPLES = 65_536
LONGEST_SECONDS = 3600.0  # 230 MB at 16 kHz; a clip is held in memory as a whole


_Block = tuple[int, NDArray[np.float32]]  # sample rate in Hz; float32 (n, channels)


def decode(path: Path, onset: float = 0.0) -> Iterator[audio.AudioChunk]:
    """Mono samples of a file from `onset` (seconds) on, at the file's rate; `start` counts from there.

    There is no chunk if the file ends before `onset`. What is there is read, whatever the header says of
    its length.

    Raises:
        DataError: no file, an empty one, or one that neither libsndfile nor FFmpeg decodes to its end.
    """
    if not path.is_file():  # opening a pipe would wait for its writer
        raise DataError(
            f"{path}: expected a file, found {'something else' if path.exists() else 'none'}"
        )
    if path.stat().st_size == 0:
        raise DataError(f"{path}: expected audio, the file is empty")
    try:
        file = Recording(path, log)
    except SourceError as error:
        blocks = _decode_with_ffmpeg(path, onset, str(error))
    else:
        if file.seekable:
            blocks = _decode_with_libsndfile(path, file, onset)
        else:  # raw GSM, of which libsndfile does not know the end
            file.close()
            blocks = _decode_with_ffmpeg(path, onset, "it is not seekable.")
    start = 0
    for rate, pcm in blocks:
        chunk = audio.AudioChunk(str(path), start, start / rate, rate, audio.mix_to_mono(pcm))
        start = chunk.end
        yield chunk


def _decode_with_libsndfile(path: Path, file: Recording, onset: float) -> Iterator[_Block]:
    block = np.empty((_BLOCK_SAMPLES, file.channels), np.float32)
    with closing(file):
        try:
            file.skip(round(onset * file.sample_rate_hz))
            while count := file.read(block):
                yield file.sample_rate_hz, block[:count].copy()
        except SourceError as error:
            raise DataError(f"{path}: cannot be decoded to its end: {error}") from error


def _decode_with_ffmpeg(path: Path, onset: float, other_reason: str) -> Iterator[_Block]:
    try:
        av = importlib.import_module("av")
    except ImportError as error:
        raise DataError(
            f"{path}: {other_reason} For other codecs: pip install 'earshot[streams]'"
        ) from error
    av.logging.set_level(None)  # errors arrive as exceptions
    try:
        with closing(av.open(str(path))) as container:
            if not container.streams.audio:
                raise DataError(f"{path}: expected audio, found no audio track")
            yield from _read_frames(path, av, container, onset)
    except av.FFmpegError as error:
        raise DataError(f"{path}: libsndfile: {other_reason} FFmpeg: {error}") from error


def _read_frames(path: Path, av: Any, container: Any, onset: float) -> Iterator[_Block]:
    """The audio from `onset` on; what is before is decoded too, because FFmpeg's seeking is not exact."""
    to_float = av.AudioResampler(format="fltp")  # changes neither rate nor channels
    end = 0
    for frame in container.decode(audio=0):
        try:
            converted = to_float.resample(frame)
        except ValueError as error:
            raise DataError(f"{path}: the sample rate or the channels change midway") from error
        for floats in converted:
            pcm = floats.to_ndarray().T
            begin, end = end, end + len(pcm)
            skipped = max(round(onset * floats.sample_rate) - begin, 0)
            if skipped < len(pcm):
                yield floats.sample_rate, pcm[skipped:]


def stated_seconds(path: Path) -> float | None:
    """How long a file says that it is, without decoding it; None if it cannot be opened or does not say."""
    try:
        with closing(Recording(path, log)) as file:
            return file.stated_seconds
    except (OSError, SourceError):
        pass  # of a codec that libsndfile does not know, or no audio: then it is quarantined later
    try:
        av = importlib.import_module("av")
    except ImportError:
        return None
    try:
        with closing(av.open(str(path))) as container:
            return None if container.duration is None else container.duration / av.time_base
    except (OSError, av.FFmpegError):
        return None


def read_audio(clip: Clip, sample_rate_hz: int) -> audio.Samples:
    """The clip's part of its file: float32 (n,), mono, [-1, 1], at `sample_rate_hz`; n > 0.

    A clip that reaches past the end of the file ends there.

    Raises:
        DataError: unreadable, no sample, not a number, or longer than an hour.
    """
    chunks = decode(clip.path, clip.onset)
    if clip.seconds is not None:
        chunks = _first_seconds(chunks, clip.seconds)
    resampler = audio.ChunkResampler(sample_rate_hz)
    pieces, last = [np.empty(0, np.float32)], None
    for last in chunks:
        if last.ended_at > LONGEST_SECONDS:
            raise DataError(f"{clip.path}: expected at most {LONGEST_SECONDS:g} s, it is longer")
        _, bad = audio.zero_nonfinite(last.samples)
        if bad:
            raise DataError(f"{clip.path}: expected numbers near [-1, 1], {bad} samples are not")
        pieces.append(resampler.push(last).samples)
    if last is not None:
        pieces.append(resampler.finish(last).samples)
    samples = np.concatenate(pieces)
    if not len(samples):
        begin = f" from {clip.onset:g} s on" if clip.onset else ""
        raise DataError(f"{clip.path}: expected audio{begin}, found no sample")
    return samples


def _first_seconds(
    chunks: Iterable[audio.AudioChunk], seconds: float
) -> Iterator[audio.AudioChunk]:
    for chunk in chunks:
        left = round(seconds * chunk.sample_rate_hz) - chunk.start
        if left <= 0:
            return
        yield replace(chunk, samples=chunk.samples[:left])

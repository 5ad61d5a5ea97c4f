"""The samples of an audio file, as many as are there, whatever its header says of their number."""

import logging
import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from listener.sources import containers, wav
from listener.sources.source import SAME_SECONDS, SourceError

_BLOCK_FRAMES = 32_768
_UNKNOWN_FRAMES = 2**62  # libsndfile counts 2^63 - 1 where a header does not know


class _Decoder(soundfile.SoundFile):  # type: ignore[misc]
    """A file, or bytes in its place, read forwards.

    soundfile seeks after each read where it can. In a FLAC that is shorter than its header says, that
    fails at the end, and what was read is lost.
    """

    def __init__(self, path: Path, head: bytes = b"", offset: int = 0) -> None:
        self._bytes = None
        if head or offset:
            self._bytes = containers.SplicedFile(path.open("rb"), head, offset)
        super().__init__(self._bytes or os.fsencode(path))  # a name may be other than UTF-8

    def seekable(self) -> bool:
        return False

    @property
    def can_seek(self) -> bool:
        return bool(super().seekable())

    @property
    def all_read(self) -> bool:
        """Whether there are no more bytes."""
        return self._bytes is not None and self._bytes.at_end

    def close(self) -> None:
        super().close()
        if self._bytes is not None:
            self._bytes.close()


class Recording:
    """An audio file that libsndfile reads, to its last sample.

    A file whose header is right is left to libsndfile. The sizes in a WAV are checked when it is opened.
    Where the header of another gives an end and it is reached, the file is searched for more: the rest of
    a FLAC or MP3, and what is chained to an Ogg or MP3. A file that was cut off just ends. Where header and
    content differ, `log` gets one warning with both lengths.

    Raises:
        SourceError: not audio that libsndfile reads. No error names the file.
    """

    def __init__(self, path: Path, log: logging.Logger) -> None:
        self._path, self._log = path, log
        self._head: tuple[bytes, int] = (
            b"",
            0,
        )  # what to read in place of so many bytes at the beginning
        self._starts = [0]  # bytes: where each part of a chain begins
        self._stated: list[int | None] = []  # frames, by the header of each part
        self.position = 0
        """Frames that were read or skipped."""
        self._replaced = False  # whether `_file` is another than the first part as it was opened
        try:
            with path.open("rb") as file:
                data = wav.find_data(file)
        except OSError as error:
            raise SourceError(f"cannot be read: {error.strerror}") from error
        if data is not None and data.head is not None:
            self._head = data.head, data.offset
        self._file = self._open_part(0)
        self.sample_rate_hz: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.empty = self._file.frames == 0
        """Whether there is no sample, as far as libsndfile knows."""
        self.seekable = self._file.can_seek
        if data is not None and data.stated_bytes is not None:
            held = self._file.frames
            self._compare(round(held * data.stated_bytes / max(1, data.held_bytes)), held)

    @property
    def stated_seconds(self) -> float | None:
        """How long the header says that it is, a WAV's corrected; None if it does not know."""
        frames = self._stated[0]
        return None if frames is None else frames / self.sample_rate_hz

    def read(self, out: NDArray[np.float32]) -> int:
        """Fill float32 (n, channels) with the next frames; how many, 0 only at the end.

        Raises:
            SourceError: more follows than can be decoded; what came before was returned.
        """
        count = self._decode(out)
        while not count and self._find_more():
            count = self._decode(out)
        self.position += count
        if not count and None not in self._stated:
            self._compare(sum(frames or 0 for frames in self._stated), self.position)
        return count

    def rewind(self) -> None:
        """Go back to the first frame."""
        self.position = self._part_position = 0
        if self._fault is None and not self._replaced:
            with suppress(soundfile.LibsndfileError):
                self._file.seek(0)
                return
        self._file.close()
        self._file = self._open_part(0)

    def skip(self, frames: int) -> None:
        """From the beginning to this frame, or to the end; quick where the header tells no lie."""
        stated = self._stated[0]
        known = frames if stated is None else max(0, min(frames, stated - 1))
        try:
            self.position = self._part_position = self._file.seek(known)
        except soundfile.LibsndfileError:
            self._file.close()
            self._file = self._open_part(0)
        block = np.empty((_BLOCK_FRAMES, self.channels), np.float32)
        while self.position < frames and self.read(block[: frames - self.position]):
            pass

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._file.close()

    def _open_part(self, part: int) -> _Decoder:
        """The part of a chain, from its beginning."""
        head, offset = (b"", self._starts[part]) if part else self._head
        try:
            file = _Decoder(self._path, head, offset)
        except soundfile.LibsndfileError as error:
            raise SourceError(error.error_string) from error
        except OSError as error:
            raise SourceError(f"cannot be read: {error.strerror}") from error
        if part and (file.samplerate, file.channels) != (self.sample_rate_hz, self.channels):
            file.close()
            raise SourceError("the sample rate or the channels change midway")
        self._part, self._part_position = part, 0
        self._fault: soundfile.LibsndfileError | None = None
        self._replaced = part > 0
        if part == len(self._stated):
            self._stated.append(self._count_stated(file, self._starts[part]))
        return file

    def _count_stated(self, file: _Decoder, start: int) -> int | None:
        if file.format == "MP3":
            with self._path.open("rb") as content:
                head = containers.read_mp3_head(content, start)
            if head is None or not head.says_length:
                return None  # libsndfile guesses from the first frame's bit rate
        return file.frames if file.frames < _UNKNOWN_FRAMES else None

    def _decode(self, out: NDArray[np.float32]) -> int:
        """Frames of this part; 0 at its end."""
        if self._fault is None:
            out.fill(np.nan)
            try:
                count = len(self._file.read(out=out))
            except soundfile.LibsndfileError as error:
                self._fault = error
                decoded = np.isfinite(out).all(axis=1)
                count = len(out) if decoded.all() else int(decoded.argmin())
            self._part_position += count
            if count or self._fault is None:
                return count
        if not self._part_position or not self._is_cut_off(out):
            raise SourceError(self._fault.error_string) from self._fault
        return 0

    def _is_cut_off(self, out: NDArray[np.float32]) -> bool:
        """Whether the decoder met its fault at the end of the file; else more follows."""
        with self._path.open("rb") as content:
            rest = containers.find_rest(content, self._file.format, self._starts[self._part])
        if rest is None or not rest.seekable:
            return True
        with (
            _Decoder(self._path, rest.head, rest.offset) as again,
            suppress(soundfile.LibsndfileError),
        ):
            again.seek(self._part_position - 1)
            while len(again.read(out=out)):
                pass
        return bool(again.all_read)

    def _find_more(self) -> bool:
        """Whether the file goes on after the end of this part; then it is read from there."""
        start, form, more = self._starts[self._part], self._file.format, None
        try:
            with self._path.open("rb") as content:
                rest = None
                if self._part_position == self._file.frames:
                    rest = containers.find_rest(content, form, start)
                begin = containers.find_next(content, form, start)
            if rest is not None:
                more = self._open_rest(rest)
        except OSError:
            return False  # it was deleted while it played
        if more is None and begin is not None:
            self._starts[self._part + 1 :] = [begin]
            more = self._open_part(self._part + 1)
        if more is not None:
            self._file.close()
            self._file = more
        return more is not None

    def _open_rest(self, rest: containers.Rest) -> _Decoder | None:
        """The part once more, at the frame where it seemed to end; None if that is its end."""
        file = _Decoder(self._path, rest.head, rest.offset)
        frames = self._part_position - rest.trimmed_frames
        try:
            if rest.seekable:
                file.seek(frames)
            else:
                while frames and (count := len(file.read(min(frames, _BLOCK_FRAMES), "float32"))):
                    frames -= count
        except soundfile.LibsndfileError:
            file.close()
            return None
        self._replaced = True
        return file

    def _compare(self, stated: int, held: int) -> None:
        rate = self.sample_rate_hz
        if abs(stated - held) > SAME_SECONDS * rate:
            _warn(self._log, self._path, f"{stated / rate:.1f}", f"{held / rate:.1f}")


@lru_cache(1024)  # a data set reads a file once for each of its clips
def _warn(log: logging.Logger, path: Path, stated: str, held: str) -> None:
    log.warning("%s: its header says %s s, it holds %s s", path, stated, held)

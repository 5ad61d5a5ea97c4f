"""WAV headers of pipes and files: where the audio ends, and PCM bytes that become samples."""

import io
import struct
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO

import numpy as np

from listener.detection.audio import Samples, mix_to_mono, pcm16_to_float
from listener.sources.source import format_fault

MAX_HEADER_BYTES = 65_536  # with tags before the audio; anything longer is no header
# Writers that cannot seek back leave 0, all ones, or (sox, arecord) a size near 2^31.
_STREAMING_BYTES = range(0x7FFF_F000, 0x8000_0001)
_MOST_BYTES = 0xFFFF_FFFF  # all ones; in RF64 the size is in the chunk ds64 (EBU Tech 3306)
_MAGICS = (b"RIFF", b"RF64")
_DS64 = struct.Struct("<QQ")  # sizes of the file and of the audio
_CHUNK = struct.Struct("<4sI")
# chunks that may be cut off, or (tags of MP3) are none
_TAGS = (b"LIST", b"id3 ", b"ID3", b"TAG")

# Registered format tags, mmreg.h
_TAG_PCM, _TAG_FLOAT, _TAG_EXTENSIBLE = 0x0001, 0x0003, 0xFFFE
_EXTENSIBLE_BYTES = 40


class WavError(ValueError):
    """Not a WAV that can be read; one line, what was expected and what came."""


class Encoding(Enum):
    """How a sample is stored; always little-endian."""

    S16 = 2
    S24 = 3
    S32 = 4
    FLOAT32 = -4

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample of one channel."""
        return abs(self.value)


_ENCODINGS = {
    (_TAG_PCM, 16): Encoding.S16,
    (_TAG_PCM, 24): Encoding.S24,
    (_TAG_PCM, 32): Encoding.S32,
    (_TAG_FLOAT, 32): Encoding.FLOAT32,
}


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """The format of a PCM stream."""

    encoding: Encoding
    sample_rate_hz: int
    channels: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return self.encoding.sample_bytes * self.channels

    def decode(self, pcm: bytes) -> Samples:
        """Whole frames of bytes -> mono float32 (n,) in [-1, 1]."""
        if self.encoding is Encoding.FLOAT32:
            samples = np.frombuffer(pcm, "<f4").astype(np.float32)
        elif self.encoding is Encoding.S16:
            samples = pcm16_to_float(np.frombuffer(pcm, "<i2"))
        else:
            if self.encoding is Encoding.S24:  # becomes the top three of four bytes
                words = np.zeros((len(pcm) // 3, 4), np.uint8)
                words[:, 1:] = np.frombuffer(pcm, np.uint8).reshape(-1, 3)
                pcm = words.tobytes()
            samples = np.frombuffer(pcm, "<i4").astype(np.float32) / np.float32(2**31)
        return mix_to_mono(samples.reshape(-1, self.channels))


@dataclass(frozen=True, slots=True)
class WavHeader:
    """What precedes the audio; `data_bytes` is None if the writer did not know its length."""

    format: PcmFormat
    header_bytes: int
    data_bytes: int | None


def parse_wav_header(head: bytes) -> WavHeader | None:
    """The header at the beginning of `head`, or None if more bytes are needed.

    Raises:
        WavError: not RIFF/WAVE, no audio where it should be, or an encoding other than PCM of 16,
            24 or 32 bits and float of 32.
    """
    if head[0:4] != _MAGICS[1][: len(head[0:4])]:
        _expect(head[0:4], _MAGICS[0], "RIFF")
    _expect(head[8:12], b"WAVE", "WAVE")
    pcm_format, long_size, at = None, 0, 12
    while len(head) >= at + 8:
        name, size = struct.unpack_from("<4sI", head, at)
        at += 8
        if name == b"data":
            if pcm_format is None:
                raise WavError("expected the WAV's fmt chunk before its data")
            size = long_size if size == _MOST_BYTES else size
            return WavHeader(pcm_format, at, None if _is_unknown(size) else size)
        if at + size > MAX_HEADER_BYTES:
            raise WavError(f"expected audio within {MAX_HEADER_BYTES} bytes, got chunk {name!r}")
        if name == b"fmt " and len(head) >= at + size:
            pcm_format = _parse_format(head[at : at + size])
        elif name == b"ds64" and len(head) >= at + _DS64.size:
            _, long_size = _DS64.unpack_from(head, at)
        at += size + size % 2  # chunks begin at even bytes
    return None


@dataclass(frozen=True, slots=True)
class DataChunk:
    """The audio in a WAV file: bytes by its header, None if that is unknown, and bytes that are there.

    Where they differ, `head` is what to read in place of the bytes before `offset`, where the audio begins.
    """

    stated_bytes: int | None
    held_bytes: int
    head: bytes | None
    offset: int


def find_data(file: BinaryIO) -> DataChunk | None:
    """Where the audio of a WAV file ends: by its header, if chunks or nothing follow, else with the file.

    None if the file is no WAV, or has no audio within MAX_HEADER_BYTES.
    """
    end = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = bytearray(file.read(MAX_HEADER_BYTES))
    at, long_at, name, size = 12, None, b"", 0
    if head[:4] not in _MAGICS or head[8:12] != b"WAVE":
        return None
    while name != b"data":
        if len(head) < at + _CHUNK.size:
            return None
        name, size = _CHUNK.unpack_from(head, at)
        at += _CHUNK.size
        if name == b"ds64" and len(head) >= at + _DS64.size:
            long_at = at
        if name != b"data":
            at += size + size % 2
    if size == _MOST_BYTES and long_at is not None:
        _, size = _DS64.unpack_from(head, long_at)
    held = size if are_chunks(file, at + size + size % 2, end) else end - at
    if held == size:
        return DataChunk(size, held, None, at)
    del head[at:]
    struct.pack_into("<I", head, at - 4, min(held, _MOST_BYTES))
    if long_at is None and held >= _MOST_BYTES:  # a RIFF cannot say so
        head[:12] = b"RF64\xff\xff\xff\xffWAVE" + _CHUNK.pack(b"ds64", 28) + bytes(28)
        long_at = 12 + _CHUNK.size
    if long_at is not None:
        _DS64.pack_into(head, long_at, len(head) + held - _CHUNK.size, held)
    return DataChunk(None if _is_unknown(size) else size, held, bytes(head), at)


def are_chunks(file: BinaryIO, at: int, end: int) -> bool:
    """Whether nothing, or whole chunks alone, are between a byte of the file and its end."""
    while at + _CHUNK.size <= end:
        file.seek(at)
        name, size = _CHUNK.unpack(file.read(_CHUNK.size))
        if name.startswith(_TAGS):
            return True
        if not looks_like_chunk(name):
            return False
        at += _CHUNK.size + size + size % 2
    return at <= end + 1  # the last byte, which makes a size even, is often forgotten


def looks_like_chunk(name: bytes) -> bool:
    """Whether four bytes could name a chunk; audio seldom could."""
    return all(0x20 <= byte < 0x7F for byte in name)  # noqa: PLR2004 - what ASCII prints


def _is_unknown(size: int) -> bool:
    return size in (0, _MOST_BYTES) or size in _STREAMING_BYTES


def _expect(found: bytes, magic: bytes, what: str) -> None:
    if not magic.startswith(found):
        raise WavError(f"expected a WAV header ({what}), got {found!r}")


def _parse_format(chunk: bytes) -> PcmFormat:
    if len(chunk) < struct.calcsize("<HHIIHH"):
        raise WavError(f"expected a WAV fmt chunk of at least 16 bytes, got {len(chunk)}")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == _TAG_EXTENSIBLE and len(chunk) >= _EXTENSIBLE_BYTES:
        (tag,) = struct.unpack_from("<H", chunk, 24)  # the first bytes of the sub-format's GUID
    encoding = _ENCODINGS.get((tag, bits))
    if encoding is None:
        raise WavError(
            "expected PCM of 16, 24 or 32 bits or float of 32, "
            f"got WAV format {tag:#06x} of {bits} bits"
        )
    fault = format_fault(channels, rate)
    if fault is not None:
        raise WavError(fault)
    return PcmFormat(encoding, rate, channels)

"""WAV from a pipe: the header is parsed without seeking, PCM bytes become samples."""

import struct
from dataclasses import dataclass
from enum import Enum

import numpy as np

from listener.detection.audio import Samples, mix_to_mono, pcm16_to_float
from listener.sources.source import format_fault

MAX_HEADER_BYTES = 65_536  # with tags before the audio; anything longer is no header
# Writers that cannot seek back leave 0, all ones, or (sox, arecord) a size near 2^31.
_STREAMING_BYTES = 0x7FFF_F000

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
    _expect(head[0:4], b"RIFF", "RIFF")
    _expect(head[8:12], b"WAVE", "WAVE")
    pcm_format, at = None, 12
    while len(head) >= at + 8:
        name, size = struct.unpack_from("<4sI", head, at)
        at += 8
        if name == b"data":
            if pcm_format is None:
                raise WavError("expected the WAV's fmt chunk before its data")
            return WavHeader(pcm_format, at, size if 0 < size < _STREAMING_BYTES else None)
        if at + size > MAX_HEADER_BYTES:
            raise WavError(f"expected audio within {MAX_HEADER_BYTES} bytes, got chunk {name!r}")
        if name == b"fmt " and len(head) >= at + size:
            pcm_format = _parse_format(head[at : at + size])
        at += size + size % 2  # chunks begin at even bytes
    return None


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

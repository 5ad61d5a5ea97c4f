"""Audio files whose headers say one length and which hold another."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE_HZ = 16_000
Write = Callable[[NDArray[np.floating]], bytes]


def encode(samples: NDArray[np.floating], form: str, subtype: str | None = None) -> bytes:
    """A file as it should be, 16 kHz."""
    content = io.BytesIO()
    soundfile.write(content, samples, RATE_HZ, format=form, subtype=subtype)
    return content.getvalue()


def wav_saying(size: int, tail: bytes = b"") -> Write:
    """A WAV of 16 bits with this size in its data chunk, and something behind it."""

    def write(samples: NDArray[np.floating]) -> bytes:
        content = bytearray(encode(samples, "WAV", "PCM_16"))
        content[40:44] = struct.pack("<I", size)
        return bytes(content) + tail

    return write


def flac_saying(total: int) -> Write:
    """A FLAC with this number of samples in STREAMINFO, 36 bits that end at byte 26 (RFC 9639, 8.2)."""

    def write(samples: NDArray[np.floating]) -> bytes:
        content = bytearray(encode(samples, "FLAC"))
        content[21] = content[21] & 0xF0 | total >> 32
        content[22:26] = struct.pack(">I", total & 0xFFFF_FFFF)
        return bytes(content)

    return write

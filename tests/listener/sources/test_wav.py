"""WAV headers as writers of pipes leave them, and PCM of every encoding."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.sources.wav import MAX_HEADER_BYTES, Encoding, PcmFormat, WavError, parse_wav_header


def fmt(
    tag: int = 1, channels: int = 1, rate: int = 16_000, bits: int = 16, extra: bytes = b""
) -> bytes:
    block = channels * bits // 8
    body = struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits) + extra
    return b"fmt " + struct.pack("<I", len(body)) + body


def wav(*chunks: bytes, data_size: int = 0, riff_size: int = 0) -> bytes:
    body = b"".join(chunks) + b"data" + struct.pack("<I", data_size)
    return b"RIFF" + struct.pack("<I", riff_size) + b"WAVE" + body


def test_a_plain_header_is_44_bytes():
    header = parse_wav_header(wav(fmt(channels=2, rate=48_000), data_size=400) + b"\0" * 8)
    assert header is not None
    assert header.format == PcmFormat(Encoding.S16, 48_000, 2)
    assert (header.header_bytes, header.data_bytes) == (44, 400)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x80000000, 0x7FFFF000])
def test_the_sizes_of_writers_that_cannot_seek_mean_until_the_end(size):
    header = parse_wav_header(wav(fmt(), data_size=size, riff_size=0xFFFFFFFF))
    assert header is not None
    assert header.data_bytes is None


def test_other_chunks_before_the_audio_are_skipped_even_if_odd():
    tags = b"LIST" + struct.pack("<I", 5) + b"INFO1\0"
    header = parse_wav_header(wav(fmt(), tags, data_size=10))
    assert header is not None
    assert header.header_bytes == 44 + 14


def test_an_extensible_header_names_its_encoding_in_the_guid():
    guid = struct.pack("<H", 3) + b"\0" * 14
    extra = struct.pack("<HHI", 22, 32, 0) + guid
    header = parse_wav_header(wav(fmt(tag=0xFFFE, bits=32, extra=extra)))
    assert header is not None
    assert header.format.encoding is Encoding.FLOAT32


@given(cut=st.integers(0, 57))
def test_an_incomplete_header_needs_more_bytes(cut):
    whole = wav(fmt(), b"LIST" + struct.pack("<I", 6) + b"INFOab")
    assert parse_wav_header(whole[:cut]) is None
    assert parse_wav_header(whole) is not None


@pytest.mark.parametrize(
    ("head", "line"),
    [
        (b"\x01\x02\x03\x04", "expected a WAV header (RIFF), got b'\\x01\\x02\\x03\\x04'"),
        (b"RIFF\0\0\0\0AVI ", "expected a WAV header (WAVE), got b'AVI '"),
        (wav(), "expected the WAV's fmt chunk before its data"),
        (wav(fmt(bits=8)), "got WAV format 0x0001 of 8 bits"),
        (wav(fmt(tag=6, bits=8)), "got WAV format 0x0006 of 8 bits"),
        (
            wav(fmt(channels=0)),
            "expected up to 64 channels of 1000 to 768000 Hz, got 0 of 16000 Hz",
        ),
        (wav(b"fmt \x02\0\0\0ab"), "expected a WAV fmt chunk of at least 16 bytes, got 2"),
        (wav(b"junk\xff\xff\xff\x7f"), "expected audio within 65536 bytes, got chunk b'junk'"),
    ],
)
def test_a_wav_that_cannot_be_read_is_one_line(head, line):
    with pytest.raises(WavError) as caught:
        parse_wav_header(head)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=200))
def test_noise_is_refused_or_incomplete_and_never_a_crash(noise):
    for head in (noise, b"RIFF\0\0\0\0WAVE" + noise, b"RIFF\0\0\0\0WAVE" + fmt() + noise):
        try:
            header = parse_wav_header(head)
        except WavError:
            continue
        assert header is None or header.header_bytes <= MAX_HEADER_BYTES


@pytest.mark.parametrize(
    ("encoding", "pcm"),
    [
        (Encoding.S16, struct.pack("<4h", 0, 16384, -32768, -16384)),
        (Encoding.S24, b"\0\0\0\0\0\x40\0\0\x80\0\0\xc0"),
        (Encoding.S32, struct.pack("<4i", 0, 2**30, -(2**31), -(2**30))),
        (Encoding.FLOAT32, struct.pack("<4f", 0.0, 0.5, -1.0, -0.5)),
    ],
)
def test_every_encoding_gives_the_same_samples(encoding, pcm):
    mono = PcmFormat(encoding, 8000, 1).decode(pcm)
    assert mono.dtype == np.float32
    np.testing.assert_array_equal(mono, [0.0, 0.5, -1.0, -0.5])
    np.testing.assert_array_equal(PcmFormat(encoding, 8000, 2).decode(pcm), [0.25, -0.75])

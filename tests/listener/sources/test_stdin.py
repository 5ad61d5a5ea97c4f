"""StdinSource: raw PCM and WAV from a pipe, with an end, a pause or a header in pieces."""

import io
import os
import struct
import sys
import threading
import time
from typing import Any, BinaryIO

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from listener.config.sources import FileSettings, StdinSettings
from listener.detection.audio import AudioChunk, Samples
from listener.sources.file import FileSource
from listener.sources.source import SourceError
from listener.sources.stdin import StdinSource
from tests.listener.sources.lying import encode, wav_saying
from tests.listener.sources.reading import read_all, read_chunk

RATE = 16_000


@pytest.fixture
def pipe():
    """The reading end and the writing end, both as streams."""
    read_fd, write_fd = os.pipe()
    with os.fdopen(read_fd, "rb", buffering=0) as reader, os.fdopen(write_fd, "wb", 0) as writer:
        yield reader, writer


def source(reader: BinaryIO, **settings: Any) -> StdinSource:
    return StdinSource(StdinSettings(name="s", kind="stdin", **settings), reader)


def play(opened: StdinSource, writer: BinaryIO, data: bytes) -> tuple[Samples, list[AudioChunk]]:
    """Write from another thread, as a pipe is small; returns the samples and chunks that came out."""

    def write() -> None:
        writer.write(data)
        writer.close()

    thread = threading.Thread(target=write)
    thread.start()
    chunks = read_all(opened, 0.2)
    thread.join(10)
    return np.concatenate([np.empty(0, np.float32), *(c.samples for c in chunks)]), chunks


def test_raw_samples_come_out_as_they_went_in(pipe):
    reader, writer = pipe
    pcm = np.arange(-8000, 8000, dtype="<i2")
    samples, chunks = play(source(reader), writer, pcm.tobytes())
    np.testing.assert_array_equal(samples, pcm.astype(np.float32) / 32768)
    assert [c.start for c in chunks] == [3200 * n for n in range(len(chunks))]
    assert {c.sample_rate_hz for c in chunks} == {RATE}
    assert abs(chunks[-1].ended_at - time.time()) < 60


def test_channels_are_mixed_and_the_rate_is_the_settings(pipe):
    reader, writer = pipe
    opened = source(reader, sample_rate_hz=8000, channels=2)
    samples, chunks = play(opened, writer, struct.pack("<4h", 16384, 0, -32768, 0))
    np.testing.assert_array_equal(samples, [0.25, -0.5])
    assert chunks[0].sample_rate_hz == 8000


def test_an_odd_byte_at_the_end_is_dropped_and_logged(pipe, caplog):
    reader, writer = pipe
    samples, _ = play(source(reader), writer, struct.pack("<h", 16384) + b"x")
    np.testing.assert_array_equal(samples, [0.5])
    assert "the last 1 bytes are not a whole sample" in caplog.text


def test_while_the_writer_pauses_chunks_are_empty(pipe):
    reader, writer = pipe
    opened = source(reader)
    assert len(read_chunk(opened, 0.5).samples) == 0
    writer.write(b"\0\x40" * 100)
    assert len(read_chunk(opened, 0.5).samples) == 100


def test_close_ends_reading_and_leaves_the_descriptor_open(pipe):
    reader, _ = pipe
    opened = source(reader)
    opened.close()
    opened.close()
    assert opened.read(0.1) is None
    os.fstat(reader.fileno())


def wav(samples: NDArray[Any], subtype: str, rate: int = RATE, fmt: str = "WAV") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=fmt, subtype=subtype)
    return buffer.getvalue()


@pytest.mark.parametrize("fmt", ["WAV", "WAVEX"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT"])
def test_wav_of_every_encoding_gives_its_samples(pipe, subtype, fmt):
    reader, writer = pipe
    samples = np.arange(-4000, 4000, dtype=np.float32) / 8192
    data = wav(samples, subtype, 22_050, fmt)
    read, chunks = play(source(reader, format="wav"), writer, data)
    np.testing.assert_array_equal(read, samples)
    assert chunks[-1].sample_rate_hz == 22_050


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_wav_of_unknown_length_is_read_to_the_end(pipe, size):
    reader, writer = pipe
    data = bytearray(wav(np.full(8000, 0.5), "PCM_16"))
    data[4:8] = data[40:44] = struct.pack("<I", size)
    samples, _ = play(source(reader, format="wav"), writer, bytes(data))
    np.testing.assert_array_equal(samples, np.full(8000, 0.5, np.float32))


def test_data_after_the_audio_of_a_wav_is_ignored(pipe):
    reader, writer = pipe
    data = wav(np.full(100, 0.5), "PCM_16") + b"LIST\x04\0\0\0junk" * 50
    samples, _ = play(source(reader, format="wav"), writer, data)
    assert len(samples) == 100


@pytest.mark.parametrize(
    ("stated", "warned"),
    [
        (8000, "its header says 0.2 s, it holds 0.5 s"),
        (32_000, "its header says 1.0 s, it holds 0.5 s"),
    ],
)
def test_a_wav_whose_size_is_wrong_is_read_to_its_end_as_from_a_file(
    pipe, stated, warned, tmp_path, caplog
):
    reader, writer = pipe
    tone = np.linspace(-0.5, 0.5, 8000)
    data = wav_saying(stated)(tone)
    samples, _ = play(source(reader, format="wav"), writer, data)
    (tmp_path / "x.wav").write_bytes(data)
    settings = FileSettings(name="s", kind="file", path=tmp_path / "x.wav", pace="fast")
    chunks = read_all(FileSource(settings))
    np.testing.assert_array_equal(samples, np.concatenate([c.samples for c in chunks]))
    assert len(samples) == 8000
    assert [line.partition(": ")[2] for line in caplog.messages] == [warned, warned]


def test_rf64_is_a_wav(pipe):
    reader, writer = pipe
    data = encode(np.full(800, 0.5), "RF64", "PCM_16") + b"LIST\x04\0\0\0junk"
    samples, _ = play(source(reader, format="wav"), writer, data)
    np.testing.assert_array_equal(samples, np.full(800, 0.5, np.float32))


def test_a_header_may_come_in_pieces(pipe):
    reader, writer = pipe
    opened = source(reader, format="wav")
    data = wav(np.full(800, 0.5), "PCM_16")
    writer.write(data[:20])
    assert len(read_chunk(opened, 0.1).samples) == 0
    samples, _ = play(opened, writer, data[20:])
    assert len(samples) == 800


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"ID3\x03\0\0", "standard input: expected a WAV header (RIFF), got b'ID3"),
        (b"RIFF\0\0", "expected a WAV header, the stream ended after 6 bytes"),
        (b"", "expected a WAV header, the stream ended after 0 bytes"),
    ],
)
def test_a_stream_that_is_no_wav_is_one_line(pipe, data, line):
    reader, writer = pipe
    opened = source(reader, format="wav")
    with pytest.raises(SourceError) as caught:
        play(opened, writer, data)
    assert line in str(caught.value)


def test_a_closed_standard_input_is_one_line(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(SourceError, match="it is closed"):
        StdinSource(StdinSettings(name="s", kind="stdin"))

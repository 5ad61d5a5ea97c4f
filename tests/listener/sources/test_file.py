"""FileSource: every sample, in real time or at once, in a loop; a broken file is one line."""

import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from listener.config.sources import FileSettings
from listener.sources.file import FileSource
from listener.sources.source import SourceError
from tests.listener.sources.reading import read_all, read_chunk

RATE = 16_000


@pytest.fixture
def ramp(tmp_path):
    """A second of exact 16-bit values in a WAV."""
    path = tmp_path / "ramp.wav"
    samples = (np.arange(RATE) - RATE // 2).astype(np.float32) / 32768
    soundfile.write(path, samples, RATE, subtype="PCM_16")
    return path, samples


def source(path: Path, **settings: Any) -> FileSource:
    return FileSource(FileSettings(name="s", kind="file", path=path, **settings))


def test_a_fast_file_gives_every_sample_with_seconds_in_the_file(ramp):
    path, samples = ramp
    chunks = read_all(source(path, pace="fast"), 0.3)
    np.testing.assert_array_equal(np.concatenate([c.samples for c in chunks]), samples)
    assert [c.start for c in chunks] == [0, 4800, 9600, 14400]
    assert [c.captured_at for c in chunks] == pytest.approx([0.0, 0.3, 0.6, 0.9])
    assert {(c.source, c.sample_rate_hz) for c in chunks} == {("s", RATE)}


def test_a_realtime_chunk_is_not_returned_before_its_last_sample_is_due(ramp):
    path, _ = ramp
    began = time.time()
    opened = source(path, pace="realtime")
    for chunk in read_all(opened, 0.05)[:4]:
        assert chunk.captured_at >= began + chunk.start / RATE
    assert time.time() >= began + 1.0


def test_a_realtime_file_catches_up_after_a_stall_without_moving_its_times(ramp):
    path, _ = ramp
    opened = source(path, pace="realtime")
    first = read_chunk(opened, 0.1)
    assert not threading.Event().wait(0.5)  # the stall
    later = [read_chunk(opened, 0.1) for _ in range(3)]
    assert [c.captured_at - first.captured_at for c in later] == pytest.approx(
        [0.1, 0.2, 0.3], abs=1e-4
    )
    opened.close()


def test_a_realtime_read_blocks_no_longer_than_it_may(ramp):
    path, _ = ramp
    opened = source(path, pace="realtime", at_end="restart")
    assert len(read_chunk(opened, 60.0).samples) == RATE  # IDLE_SECONDS of audio
    opened.close()


def test_restart_is_a_seamless_loop_whose_start_keeps_counting(ramp):
    path, samples = ramp
    opened = source(path, pace="fast", at_end="restart")
    chunks = [read_chunk(opened, 0.7) for _ in range(4)]
    looped = np.concatenate([c.samples for c in chunks])
    np.testing.assert_array_equal(looped, np.tile(samples, 3)[: len(looped)])
    assert [c.start for c in chunks] == [0, 11200, 22400, 33600]
    assert len(read_chunk(opened, 2.5).samples) == 2.5 * RATE  # longer than the file
    opened.close()


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3"])
def test_other_formats_play_and_loop(tmp_path, suffix):
    path = tmp_path / f"tone.{suffix}"
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    soundfile.write(path, tone, RATE)
    opened = source(path, pace="fast", at_end="restart")
    chunk = read_chunk(opened, 3.0)
    assert len(chunk.samples) == 3 * RATE
    assert np.sqrt(np.mean(chunk.samples**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)
    opened.close()


def test_eight_channels_at_192_khz_become_their_mean(tmp_path):
    path = tmp_path / "many.wav"
    pcm = np.tile(np.arange(8, dtype=np.float32) / 16, (19_200, 1))
    soundfile.write(path, pcm, 192_000, subtype="FLOAT")
    (chunk,) = read_all(source(path, pace="fast"), 1.0)
    assert chunk.sample_rate_hz == 192_000
    np.testing.assert_allclose(chunk.samples, np.full(19_200, 3.5 / 16), rtol=1e-6)


def test_nan_passes_through(tmp_path):
    path = tmp_path / "nan.wav"
    soundfile.write(path, np.array([0.0, np.nan, 1.0]), RATE, subtype="FLOAT")
    (chunk,) = read_all(source(path, pace="fast"))
    np.testing.assert_array_equal(chunk.samples, [0.0, np.nan, 1.0])


def test_close_from_another_thread_ends_a_read(ramp):
    path, _ = ramp
    opened = source(path, pace="realtime", at_end="restart")
    answers = []
    thread = threading.Thread(target=lambda: answers.extend(read_all(opened, 1.0)))
    thread.start()
    opened.close()
    thread.join(10)
    assert not thread.is_alive()
    assert opened.read(1.0) is None
    opened.close()


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "the file is empty"),
        (b"it was a dark and stormy night\n" * 40, "expected audio that libsndfile reads"),
        (b"RIFF\xff\xff\xff\xffWAVE", "expected audio that libsndfile reads"),
        (b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom" + b"\0" * 99, 'use kind = "stream"'),
    ],
)
def test_a_file_that_cannot_be_played_is_one_line_that_names_it(tmp_path, content, line):
    path = tmp_path / "bad.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        source(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_directory_a_pipe_and_a_file_without_samples_are_refused(tmp_path):
    with pytest.raises(SourceError, match="expected a file, found a directory"):
        source(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="expected a file, found a device or pipe"):
        source(tmp_path / "pipe")
    soundfile.write(tmp_path / "none.wav", np.empty(0), RATE)
    with pytest.raises(SourceError, match="has no samples"):
        source(tmp_path / "none.wav")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_says_so(ramp):
    path, _ = ramp
    path.chmod(0)
    with pytest.raises(SourceError, match="Permission denied"):
        source(path)


def test_a_file_that_is_cut_in_the_middle_ends_or_is_an_error(tmp_path):
    path = tmp_path / "cut.flac"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, RATE)
    soundfile.write(path, noise, RATE)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    opened, read = source(path, pace="fast"), 0
    with suppress(SourceError):
        while (chunk := opened.read(0.1)) is not None:
            read += len(chunk.samples)
    opened.close()
    assert 0 < read < RATE

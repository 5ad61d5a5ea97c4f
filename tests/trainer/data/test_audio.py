"""A clip's waveform: any rate, channels and codec; bad audio is refused in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from tests.listener.sources.lying import flac_saying, wav_saying
from tests.shared import ROOT
from tests.trainer.data.doubles import RATE_HZ, make_clip, write_samples, write_tone
from trainer.data import audio
from trainer.data.audio import read_audio, stated_seconds
from trainer.errors import DataError


def ramp(count: int) -> np.ndarray:
    """Multiples of 2**-15, so that 16 bits hold them exactly."""
    return np.arange(count) / 32768.0


def write_alac(path: Path, samples: np.ndarray, rate_hz: int) -> Path:
    """Lossless audio that libsndfile does not read."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("alac", rate=rate_hz, layout="mono", format="s16p")
        pcm = np.round(samples * 32768.0).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(pcm, format="s16p", layout="mono")
        frame.sample_rate = rate_hz
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return path


def test_the_model_rate_passes_unchanged(tmp_path: Path):
    path = write_samples(tmp_path / "a.wav", ramp(20_000))
    samples = read_audio(make_clip(path), RATE_HZ)
    assert samples.dtype == np.float32
    np.testing.assert_array_equal(samples, ramp(20_000))


def test_channels_are_averaged(tmp_path: Path):
    pcm = np.stack([ramp(1000), np.zeros(1000)], axis=1)
    samples = read_audio(make_clip(write_samples(tmp_path / "a.wav", pcm)), RATE_HZ)
    np.testing.assert_array_equal(samples, ramp(1000) / 2)


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000])
def test_other_rates_are_resampled_in_place(tmp_path: Path, rate_hz: int):
    samples = read_audio(make_clip(write_tone(tmp_path / "a.wav", 2.0, rate_hz)), RATE_HZ)
    expected = 0.5 * np.sin(2 * np.pi * 440.0 * np.arange(2 * RATE_HZ) / RATE_HZ)
    assert len(samples) == 2 * RATE_HZ
    np.testing.assert_allclose(samples[1600:-1600], expected[1600:-1600], atol=1e-3)


def test_a_cut_is_exact(tmp_path: Path):
    path = write_samples(tmp_path / "a.wav", ramp(32_000))
    clip = replace(make_clip(path), onset=0.5, seconds=0.25)
    np.testing.assert_array_equal(read_audio(clip, RATE_HZ), ramp(32_000)[8_000:12_000])


def test_a_cut_past_the_end_ends_there(tmp_path: Path):
    path = write_samples(tmp_path / "a.wav", ramp(32_000))
    clip = replace(make_clip(path), onset=1.5, seconds=5.0)
    np.testing.assert_array_equal(read_audio(clip, RATE_HZ), ramp(32_000)[24_000:])


def test_a_cut_after_the_end_is_refused(tmp_path: Path):
    clip = replace(make_clip(write_tone(tmp_path / "a.wav", 1.0)), onset=1.0)
    with pytest.raises(DataError, match=r"a.wav: expected audio from 1 s on, found no sample"):
        read_audio(clip, RATE_HZ)


def test_other_codecs_are_decoded_by_ffmpeg(tmp_path: Path):
    path = write_alac(tmp_path / "a.m4a", ramp(20_000), RATE_HZ)
    np.testing.assert_array_equal(read_audio(make_clip(path), RATE_HZ), ramp(20_000))
    cut = replace(make_clip(path), onset=0.5, seconds=0.25)
    np.testing.assert_array_equal(read_audio(cut, RATE_HZ), ramp(20_000)[8_000:12_000])


def test_raw_gsm_is_decoded(tmp_path: Path):
    """As of telephone prompts; libsndfile opens it, but cannot seek in it."""
    path = tmp_path / "prompt.gsm"
    soundfile.write(path, ramp(16_000), 8_000, format="RAW", subtype="GSM610")
    assert len(read_audio(make_clip(path), RATE_HZ)) == 2 * 16_000


def test_a_file_that_is_not_audio_is_refused(tmp_path: Path):
    path = tmp_path / "a.wav"
    path.write_text("a shopping list\n" * 100)
    with pytest.raises(DataError, match=r"a.wav: libsndfile: .* FFmpeg: .*"):
        read_audio(make_clip(path), RATE_HZ)


def test_no_file_an_empty_one_and_a_pipe_are_refused(tmp_path: Path):
    (tmp_path / "empty.wav").touch()
    os.mkfifo(tmp_path / "pipe.wav")
    for name, message in (
        ("gone.wav", "gone.wav: expected a file, found none"),
        ("empty.wav", "empty.wav: expected audio, the file is empty"),
        ("pipe.wav", "pipe.wav: expected a file, found something else"),
    ):
        with pytest.raises(DataError, match=message):
            read_audio(make_clip(tmp_path / name), RATE_HZ)


def test_no_samples_are_refused(tmp_path: Path):
    path = write_samples(tmp_path / "a.wav", np.zeros(0))
    with pytest.raises(DataError, match=r"a.wav: expected audio, found no sample"):
        read_audio(make_clip(path), RATE_HZ)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e20])
def test_samples_that_are_not_numbers_are_refused(tmp_path: Path, value: float):
    samples = np.zeros(1000)
    samples[[10, 20]] = value
    path = write_samples(tmp_path / "a.wav", samples, 44_100)
    with pytest.raises(DataError, match=r"a.wav: expected numbers near \[-1, 1\], 2 samples are"):
        read_audio(make_clip(path), RATE_HZ)


def test_a_truncated_file_is_read_as_far_as_it_goes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = write_tone(tmp_path / "a.flac", 2.0)
    path.write_bytes(path.read_bytes()[:-5000])
    assert RATE_HZ < len(read_audio(make_clip(path), RATE_HZ)) < 2 * RATE_HZ
    (line,) = caplog.messages
    assert line.startswith(f"{path}: its header says 2.0 s, it holds 1.")


def test_a_file_that_is_damaged_in_its_middle_is_refused(tmp_path: Path):
    path = write_samples(tmp_path / "a.flac", np.random.default_rng(1).uniform(-0.5, 0.5, 64_000))
    content = bytearray(path.read_bytes())
    content[60_000:61_000] = bytes(1000)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a.flac: cannot be decoded to its end"):
        read_audio(make_clip(path), RATE_HZ)


@pytest.mark.parametrize("onset", [0.0, 0.5, 0.9, 1.5])
def test_a_cut_of_a_file_that_its_header_halves_is_exact(
    tmp_path: Path, onset: float, caplog: pytest.LogCaptureFixture
):
    for name, file in (("a.wav", wav_saying(32_000)), ("a.flac", flac_saying(16_000))):
        path = tmp_path / name
        path.write_bytes(file(ramp(32_000)))
        clip = replace(make_clip(path), onset=onset, seconds=0.25)
        first = round(onset * RATE_HZ)
        found = [read_audio(clip, RATE_HZ) for _ in range(2)]
        np.testing.assert_array_equal(found[1], ramp(32_000)[first : first + 4000])
        assert stated_seconds(path) == (2.0 if name == "a.wav" else 1.0)
    # a file is told once, however many clips it holds; the end of the FLAC is not seen by all
    assert caplog.messages[0] == f"{tmp_path / 'a.wav'}: its header says 1.0 s, it holds 2.0 s"
    assert len(caplog.messages) == len(set(caplog.messages))


def test_an_endless_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(audio, "LONGEST_SECONDS", 5.0)
    path = write_tone(tmp_path / "a.wav", 10.0)
    with pytest.raises(DataError, match=r"a.wav: expected at most 5 s, it is longer"):
        read_audio(make_clip(path), RATE_HZ)
    assert len(read_audio(replace(make_clip(path), seconds=4.0), RATE_HZ)) == 4 * RATE_HZ


def test_without_ffmpeg_the_extra_is_named(tmp_path: Path):
    path = write_alac(tmp_path / "a.m4a", ramp(1000), RATE_HZ)
    program = (
        "import sys; sys.modules['av'] = None\n"
        "from pathlib import Path\n"
        "from trainer.data.audio import read_audio\n"
        "from trainer.data.clips import Clip\n"
        f"read_audio(Clip(Path({str(path)!r}), frozenset(), 'a', 1), 16_000)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.stderr.rstrip().endswith("For other codecs: pip install 'earshot[streams]'")

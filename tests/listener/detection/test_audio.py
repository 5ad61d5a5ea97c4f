"""Chunks, mono mix, level and the streaming resampler, by arithmetic."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from listener.detection.audio import (
    MAX_AMPLITUDE,
    SILENCE_DBFS,
    AudioChunk,
    ChunkResampler,
    ConditionLimits,
    ConditionMeter,
    LevelMeter,
    Samples,
    mix_to_mono,
    pcm16_to_float,
    to_dbfs,
    zero_nonfinite,
)
from tests.listener.detection.waveforms import RATE_HZ, cut, noise, sine


def read_level(samples: Samples) -> tuple[float, float]:
    meter = LevelMeter()
    meter.push(samples)
    return meter.read()[:2]


def resample(samples: Samples, sizes: list[int], rate_hz: int) -> list[AudioChunk]:
    resampler = ChunkResampler(RATE_HZ)
    chunks = list(cut(samples, sizes, rate_hz, captured_at=100.0))
    return [resampler.push(chunk) for chunk in chunks] + [resampler.finish(chunks[-1])]


def joined(chunks: list[AudioChunk]) -> Samples:
    return np.concatenate([chunk.samples for chunk in chunks])


def test_a_chunk_ends_after_its_last_sample():
    chunk = AudioChunk("hall", 1_000, 5.0, 8_000, np.zeros(4_000, np.float32))
    assert (chunk.end, chunk.ended_at) == (5_000, 5.5)


def test_mono_is_the_mean_over_channels():
    pcm = np.array([[1.0, 0.0, -1.0, 0.5], [0.2, 0.2, 0.2, 0.2]], np.float32)
    mono = mix_to_mono(pcm)
    assert mono.dtype == np.float32
    assert mono == pytest.approx([0.125, 0.2])


@pytest.mark.parametrize("shape", [(5,), (5, 1)])
def test_mono_stays_what_it_is(shape: tuple[int, ...]):
    pcm = np.arange(5, dtype=np.float32)
    assert mix_to_mono(pcm.reshape(shape)).tolist() == pcm.tolist()


def test_16_bits_become_floats_within_full_scale():
    pcm = np.array([-32_768, -16_384, 0, 32_767], np.int16)
    floats = pcm16_to_float(pcm)
    assert floats.dtype == np.float32
    assert floats.tolist() == [-1.0, -0.5, 0.0, 32_767 / 32_768]


def test_samples_that_are_not_finite_become_silence_and_are_counted():
    samples = np.array([0.5, np.nan, -0.5, np.inf, -np.inf], np.float32)
    cleaned, count = zero_nonfinite(samples)
    assert cleaned.tolist() == [0.5, 0.0, -0.5, 0.0, 0.0]
    assert count == 3
    assert np.isnan(samples[1])  # the caller's array is not touched


def test_samples_far_over_full_scale_become_silence_too():
    """Finite, but their power would not be."""
    samples = np.array([0.5, 1e20, -1e38, MAX_AMPLITUDE], np.float32)
    cleaned, count = zero_nonfinite(samples)
    assert cleaned.tolist() == [0.5, 0.0, 0.0, MAX_AMPLITUDE]
    assert count == 2


def test_good_samples_are_handed_on_uncopied():
    samples = np.ones(10, np.float32)
    assert zero_nonfinite(samples) == (samples, 0) or zero_nonfinite(samples)[0] is samples


@pytest.mark.parametrize(
    ("samples", "rms", "peak"),
    [
        (sine(1_000, 1.0), -3.01, 0.0),
        (sine(1_000, 1.0, 0.1), -23.01, -20.0),
        (np.sign(sine(1_000, 1.0) + 1e-6), 0.0, 0.0),
        (np.full(100, -0.5, np.float32), -6.02, -6.02),
        (np.zeros(100, np.float32), SILENCE_DBFS, SILENCE_DBFS),
        (np.zeros(0, np.float32), SILENCE_DBFS, SILENCE_DBFS),
        (np.full(100, 1e-9, np.float32), SILENCE_DBFS, SILENCE_DBFS),
    ],
)
def test_level_by_arithmetic(samples: Samples, rms: float, peak: float):
    assert read_level(samples.astype(np.float32)) == pytest.approx((rms, peak), abs=0.005)


def test_level_is_over_all_samples_since_the_last_reading():
    meter = LevelMeter()
    for part in np.split(sine(1_000, 1.0), 16):
        meter.push(part)
    assert meter.read()[0] == pytest.approx(-3.01, abs=0.005)
    assert meter.read() == (SILENCE_DBFS, SILENCE_DBFS, 0.0)


def test_samples_at_full_scale_are_counted_on_both_sides():
    meter = LevelMeter()
    meter.push(np.array([0.98, 0.995, -0.995, 1.2, 0.0, 0.0, 0.0, 0.0], np.float32))
    meter.push(np.zeros(2, np.float32))
    assert meter.read().clipped_share == pytest.approx(0.3)
    assert meter.read().clipped_share == 0.0


def test_two_thirds_of_a_sine_that_is_twice_too_loud_are_clipped_also_resampled():
    """|sin| is over 1/2 in two thirds of a period."""
    clipped = np.clip(2 * sine(440, 1.0, sample_rate_hz=48_000), -1.0, 1.0)
    for samples in (clipped, joined(resample(clipped, [4_800], 48_000))):
        meter = LevelMeter()
        meter.push(samples)
        assert meter.read().clipped_share == pytest.approx(2 / 3, abs=0.1)


def test_silence_is_the_floor_and_never_zero():
    assert to_dbfs(0.0) == to_dbfs(1e-6) == SILENCE_DBFS == -120.0
    assert to_dbfs(1.0) == 0.0


def test_the_models_own_rate_passes_untouched():
    chunk = AudioChunk("hall", 7, 1.0, RATE_HZ, noise(100))
    resampler = ChunkResampler(RATE_HZ)
    assert resampler.push(chunk) is chunk
    tail = resampler.finish(chunk)
    assert (tail.start, tail.captured_at, len(tail.samples)) == (107, 1.0 + 100 / RATE_HZ, 0)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([8_000, 11_025, 22_050, 44_100, 48_000]),
    st.lists(st.integers(1, 48_000), min_size=1, max_size=5),
)
def test_resampled_whole_whatever_the_chunks(rate_hz: int, sizes: list[int]):
    sizes[0] = max(sizes[0], 500)  # a second in single samples is another test
    samples = noise(rate_hz)
    whole = soxr.resample(samples, rate_hz, RATE_HZ)
    resampled = joined(resample(samples, sizes, rate_hz))
    assert len(resampled) == len(whole) == RATE_HZ
    assert np.abs(resampled - whole).max() < 1e-5


def test_resampled_from_single_samples_too():
    samples = noise(4_800)
    resampled = joined(resample(samples, [1], 48_000))
    assert np.abs(resampled - soxr.resample(samples, 48_000, RATE_HZ)).max() < 1e-5


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000, 192_000])
def test_resampled_chunks_follow_on_one_another_in_count_and_time(rate_hz: int):
    end = 0
    for chunk in resample(noise(rate_hz), [rate_hz // 7, 333], rate_hz):
        assert (chunk.start, chunk.sample_rate_hz, chunk.source) == (end, RATE_HZ, "hall")
        assert chunk.captured_at == pytest.approx(100.0 + end / RATE_HZ, abs=1e-9)
        end = chunk.end


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 192_000])
@pytest.mark.parametrize("size", [160, 4_321])
def test_a_pulse_stays_at_its_time(rate_hz: int, size: int):
    time = np.arange(rate_hz) / rate_hz
    pulse = np.exp(-0.5 * ((time - 0.625) / 0.001) ** 2).astype(np.float32)
    resampled = joined(resample(pulse, [size], rate_hz))
    centre = np.average(np.arange(len(resampled)), weights=resampled**2)
    assert centre == pytest.approx(0.625 * RATE_HZ, abs=0.05)


def test_eight_channels_at_192_khz_become_mono_at_the_models_rate():
    channels = np.stack([sine(500, 0.5, k / 8, 192_000) for k in range(8)], axis=1)
    mono = mix_to_mono(channels)
    resampled = joined(resample(mono, [19_200], 192_000))
    assert np.abs(resampled - sine(500, 0.5, 3.5 / 8))[200:-200].max() < 1e-3


def test_after_a_hole_the_resampler_starts_over_on_the_same_time_line():
    resampler = ChunkResampler(RATE_HZ)
    resampler.push(AudioChunk("hall", 0, 10.0, 48_000, noise(4_800)))
    after = resampler.push(AudioChunk("hall", 48_000, 11.0, 48_000, noise(4_800)))
    assert (after.start, after.captured_at) == (16_000, 11.0)


def test_at_another_rate_the_resampler_starts_over():
    resampler = ChunkResampler(RATE_HZ)
    resampler.push(AudioChunk("hall", 0, 10.0, 48_000, noise(48_000)))
    after = resampler.push(AudioChunk("hall", 48_000, 11.0, 8_000, noise(8_000)))
    assert after.start == 96_000
    assert after.captured_at == 11.0


def test_after_its_end_the_resampler_starts_over():
    resampler = ChunkResampler(RATE_HZ)
    chunk = AudioChunk("hall", 0, 0.0, 48_000, noise(4_800))
    resampler.push(chunk)
    resampler.finish(chunk)
    assert len(resampler.finish(chunk).samples) == 0
    assert resampler.push(chunk).start == 0


def test_a_chunk_without_samples_changes_nothing():
    resampler = ChunkResampler(RATE_HZ)
    chunk = AudioChunk("hall", 0, 0.0, 48_000, noise(4_800))
    empty = AudioChunk("hall", 4_800, 0.1, 48_000, np.empty(0, np.float32))
    pushed = [resampler.push(chunk), resampler.push(empty), resampler.finish(empty)]
    assert len(joined(pushed)) == 1_600


def test_a_signalling_nan_is_zeroed_without_a_warning():
    """0x7f800001, which a damaged float WAV holds, makes the processor signal where others do not."""
    signalling = np.frombuffer(b"\x01\x00\x80\x7f" * 40, "<f4")
    samples, count = zero_nonfinite(signalling)
    assert (samples.tolist(), count) == ([0.0] * 40, 40)


LIMITS = ConditionLimits(silent_after_seconds=2.0, clipping_after_seconds=1.0)
LEVELS = {"s": (-120.0, 0.0), "q": (-89.0, 0.0), ".": (-40.0, 0.005), "#": (-3.0, 0.02)}


def conditions(pattern: str, limits: ConditionLimits = LIMITS) -> list[str]:
    """Silent, quiet, usual and clipped half seconds -> the condition after each, s, c or o."""
    meter = ConditionMeter(limits)
    return [meter.push(0.5, *LEVELS[sign])[0] for sign in pattern]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("....qqqqqqqq", "oooooooooooo"),  # a quiet room is not silent
        ("ssss", "ooos"),
        ("sss.sss.ssss", "ooooooooooos"),  # in a row
        ("ssss.ssss", "ooosoooos"),  # the first sound ends it
        ("##", "oc"),
        ("#.#.#.#.", "oooooooo"),  # no more than half of the time
        ("##.#.#..", "occcccco"),
        ("##..", "occo"),
        ("##.#", "occc"),
        ("##ssss", "occoos"),
        ("########..", "occcccccco"),  # however long it lasted
    ],
)
def test_conditions_by_arithmetic(pattern: str, expected: str) -> None:
    assert "".join(conditions(pattern)) == expected


def test_one_loud_bang_is_no_clipping() -> None:
    assert set(conditions("....#....#....")) == {"o"}


@pytest.mark.parametrize("pattern", ["s.", "sss.", "#.", "##.."])
def test_it_does_not_flap(pattern: str) -> None:
    """Each condition lasts at least as long as its limit, whatever the audio."""
    runs = [len(list(run)) for _, run in groupby(conditions(pattern * 50))]
    assert all(run * 0.5 >= 1.0 for run in runs[1:-1])


def test_silence_can_be_turned_off() -> None:
    never = ConditionLimits(silent_below_dbfs=-120.0, silent_after_seconds=2.0)
    assert set(conditions("s" * 100, never)) == {"o"}


def test_the_reason_is_one_line() -> None:
    assert LIMITS.describe("silent") == "nothing over -90 dBFS for 2 s"
    assert LIMITS.describe("clipping") == "often 1 % of the samples or more are at full scale"
    assert LIMITS.describe("online") is None

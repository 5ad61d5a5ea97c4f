"""Gain, shift, speed, pitch, reverb and noise, checked by arithmetic."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from trainer.augment.waveform import (
    add_background,
    add_coloured_noise,
    add_noise,
    add_reverb,
    change_gain,
    change_speed,
    compand,
    limit_band,
    shift_pitch,
    shift_time,
    soften,
    stretch_time,
)

RATE_HZ = 16_000


def sine(hz: float, seconds: float = 1.0):
    time = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.sin(2 * np.pi * hz * time).astype(np.float32)


def loudest_hz(samples) -> float:
    middle = samples[len(samples) // 4 : -len(samples) // 4] * np.hanning(
        len(samples[len(samples) // 4 : -len(samples) // 4])
    )
    return float(np.abs(np.fft.rfft(middle)).argmax() * RATE_HZ / len(middle))


def test_twenty_decibels_are_a_factor_of_ten():
    louder = change_gain(np.array([0.1, -0.5], np.float32), 20.0)
    np.testing.assert_allclose(louder, [1.0, -5.0], rtol=1e-6)
    assert louder.dtype == np.float32


def test_a_shift_moves_the_end_to_the_beginning():
    np.testing.assert_array_equal(shift_time(np.arange(4.0, dtype=np.float32), 1), [3, 0, 1, 2])


def test_twice_the_speed_is_half_the_length_and_an_octave_up():
    faster = change_speed(sine(500.0), 2.0)
    assert len(faster) == RATE_HZ // 2
    assert loudest_hz(faster) == pytest.approx(1000.0, abs=4.0)


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.5, 2.0])
def test_stretching_keeps_pitch_and_level(factor: float):
    stretched = stretch_time(sine(1000.0), factor)
    assert len(stretched) == round(RATE_HZ * factor)
    assert loudest_hz(stretched) == pytest.approx(1000.0, abs=4.0)
    middle = stretched[2000:-2000]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(np.sqrt(0.5), rel=0.15)


@pytest.mark.parametrize(("semitones", "hz"), [(12.0, 1000.0), (-12.0, 250.0), (0.0, 500.0)])
def test_an_octave_is_twelve_semitones_at_the_same_length(semitones: float, hz: float):
    shifted = shift_pitch(sine(500.0), semitones)
    assert len(shifted) == RATE_HZ
    assert shifted.dtype == np.float32
    assert loudest_hz(shifted) == pytest.approx(hz, abs=4.0)


@pytest.mark.parametrize("limit_hz", [2_700.0, 3_400.0, 4_000.0, 5_500.0])
def test_a_limited_band_keeps_what_is_below_and_drops_what_is_above(limit_hz: float):
    for hz, left in ((0.85 * limit_hz, 1.0), (1.05 * limit_hz, 0.0)):
        middle = limit_band(sine(hz), limit_hz, RATE_HZ)[2000:-2000]
        assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(left, abs=0.01)


@pytest.mark.parametrize("limit_hz", [8_000.0, 22_050.0])
def test_a_limit_from_half_the_rate_on_changes_nothing(limit_hz: float):
    tone = sine(500.0)
    assert limit_band(tone, limit_hz, RATE_HZ, bits=8) is tone


@pytest.mark.parametrize("hz", [3_301.7, 3_999.9])
def test_a_limited_band_is_as_long_as_before(hz: float):
    for count in (0, 1, 999, 16_001):
        assert len(limit_band(sine(500.0, 2.0)[:count], hz, RATE_HZ, bits=8)) == count


def test_companding_to_8_bits_is_that_of_g711():
    pcm = sine(500.0, 0.1) * np.float32(0.5)
    buffer = io.BytesIO()
    soundfile.write(buffer, pcm, RATE_HZ, format="WAV", subtype="ULAW")
    buffer.seek(0)
    decoded, _ = soundfile.read(buffer, dtype="float32")
    ours, theirs = compand(pcm, 8) - pcm, decoded - pcm
    ratios_db = [10 * np.log10(np.mean(pcm**2) / np.mean(noise**2)) for noise in (ours, theirs)]
    assert ratios_db[0] == pytest.approx(ratios_db[1], abs=2.0)
    assert ratios_db[0] == pytest.approx(38.0, abs=2.0)  # what G.711 has for tones


def test_fewer_bits_are_noisier_and_full_scale_clips():
    tone = sine(440.0)
    noise = [np.mean((compand(tone, bits) - tone) ** 2) for bits in (5, 6, 7, 8)]
    assert noise == sorted(noise, reverse=True)
    assert compand(np.array([0.0, 1.0, -3.0], np.float32), 8).tolist() == [0.0, 1.0, -1.0]


def test_softening_takes_3_decibels_at_the_corner_and_20_a_decade_above():
    for hz, left in ((100.0, 0.995), (1_000.0, np.sqrt(0.5)), (7_000.0, np.sqrt(0.02))):
        middle = soften(sine(hz), 1_000.0, RATE_HZ)[2000:-2000]
        assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(left, abs=0.01)


def test_reverb_falls_by_sixty_decibels_in_rt60():
    click = np.zeros(RATE_HZ, np.float32)
    click[0] = 1.0
    wet = add_reverb(click, 0.5, 0.0, RATE_HZ, np.random.default_rng(0))
    assert wet[0] == 1.0
    assert np.sum(wet[1:] ** 2) == pytest.approx(1.0, rel=1e-3)
    early, late = (np.mean(wet[at : at + 400] ** 2) for at in (100, 4100))
    # 4000 samples are 0.25 s, half of rt60
    assert 10 * np.log10(early / late) == pytest.approx(30.0, abs=2.0)


def test_the_ratio_of_direct_to_reverb_is_of_energies():
    click = np.zeros(RATE_HZ, np.float32)
    click[0] = 1.0
    wet = add_reverb(click, 0.3, 20.0, RATE_HZ, np.random.default_rng(0))
    assert np.sum(wet[1:] ** 2) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: change_speed(sine(500.0), 0.0), "speed: expected a factor above 0, got 0.0"),
        (lambda: stretch_time(sine(500.0), -1.0), "stretch: expected a factor above 0"),
        (
            lambda: add_reverb(sine(500.0), 0.0, 0.0, RATE_HZ, np.random.default_rng(0)),
            "rt60: expected at least two samples",
        ),
    ],
)
def test_impossible_strengths_are_refused(call, message: str):
    with pytest.raises(ValueError, match=message):
        call()


ONES = np.ones(1000, np.float32)
ALTERNATING = np.tile(np.array([1.0, -1.0], np.float32), 500)


@pytest.mark.parametrize(("snr_db", "amplitude"), [(0.0, 1.0), (20.0, 0.1), (-20.0, 10.0)])
def test_the_noise_is_scaled_to_the_ratio(snr_db: float, amplitude: float):
    noisy = add_noise(ONES, 0.5 * ALTERNATING, snr_db)
    np.testing.assert_allclose(noisy - ONES, amplitude * ALTERNATING, rtol=1e-5)
    assert noisy.dtype == np.float32


@pytest.mark.parametrize(("clip", "noise"), [(0 * ONES, ONES), (ONES, 0 * ONES)])
def test_without_sound_there_is_no_ratio(clip, noise):
    np.testing.assert_array_equal(add_noise(clip, noise, 0.0), clip)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match=r"noise: expected \(1000,\), got \(999,\)"):
        add_noise(ONES, ONES[:-1], 0.0)


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_coloured_noise_has_its_level_and_its_slope(exponent: float):
    rng = np.random.default_rng(0)
    clip = np.ones(4 * RATE_HZ, np.float32)
    noise = add_coloured_noise(clip, 10.0, exponent, rng) - clip
    assert 10 * np.log10(np.mean(noise**2)) == pytest.approx(-10.0, abs=0.1)
    power = np.abs(np.fft.rfft(noise)) ** 2
    hz = np.fft.rfftfreq(len(noise), 1 / RATE_HZ)
    low, high = (power[(hz > edge) & (hz < 2 * edge)].mean() for edge in (100, 3200))
    # five octaves apart: 3.01 dB each for an exponent of 1
    assert 10 * np.log10(low / high) == pytest.approx(15.05 * exponent, abs=1.5)


def test_an_empty_clip_stays_empty():
    assert len(add_coloured_noise(ONES[:0], 0.0, 1.0, np.random.default_rng(0))) == 0


def test_a_short_background_is_repeated_from_a_random_place():
    background = np.array([1.0, -1.0, -1.0, 1.0], np.float32)
    noise = add_background(ONES, background, 0.0, np.random.default_rng(3)) - ONES
    starts = [np.resize(np.roll(background, -start), 1000) for start in range(4)]
    assert any(np.allclose(noise, start, rtol=1e-4) for start in starts)


def test_an_empty_background_is_refused():
    with pytest.raises(ValueError, match="background: expected at least one sample, got none"):
        add_background(ONES, ONES[:0], 0.0, np.random.default_rng(0))

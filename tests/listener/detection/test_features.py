"""Streaming log-mel: the reference's numbers, whatever the chunk size, each frame once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from listener.detection.audio import AudioChunk, Samples
from listener.detection.features import (
    LevelledFrames,
    LogMelFrames,
    Patch,
    PatchStream,
    WindowFrames,
    contents_of,
    log_mel_of,
    log_mel_patches,
    make_front_end,
)
from listener.detection.log_mel import mel_matrix
from listener.detection.params import FeatureParams, Preprocessing
from tests.listener.detection.waveforms import RATE_HZ, cut, noise, silence, sine

PARAMS = FeatureParams()
HOPS_SECONDS = [0.12, 0.24, 0.48, 0.96]


def stream_patches(
    samples: Samples, sizes: list[int], params: FeatureParams = PARAMS, captured_at: float = 0.0
) -> list[Patch]:
    stream = PatchStream(params)
    patches = [p for c in cut(samples, sizes, captured_at=captured_at) for p in stream.push(c)]
    return patches + stream.finish()


def log_mels(patches: list[Patch]) -> NDArray[np.float32]:
    return np.array([patch.content for patch in patches])


def tf_log_mel(samples: Samples) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mel matrix and log-mel as TensorFlow computes them, after YAMNet's features.py."""
    import tensorflow as tf  # noqa: PLC0415 - slow

    mel = tf.signal.linear_to_mel_weight_matrix(64, 257, 16_000, 125.0, 7_500.0)
    spectrum = tf.abs(tf.signal.stft(samples, 400, 160, 512))
    return mel.numpy(), tf.math.log(tf.matmul(spectrum, mel) + 0.001).numpy()


def exact_log_mel(samples: Samples) -> NDArray[np.float64]:
    """The same in double precision, frame by frame."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = [samples[k : k + 400] * window for k in range(0, len(samples) - 399, 160)]
    spectrum = np.abs(np.fft.rfft(np.array(frames, np.float64), 512))
    return np.log(spectrum @ mel_matrix(PARAMS).astype(np.float64) + 0.001)


@pytest.mark.parametrize("samples", [noise(16_000), silence(1.0)], ids=["noise", "silence"])
def test_log_mel_is_that_of_tensorflow(samples: Samples):
    mel, log_mel = tf_log_mel(samples)
    assert np.abs(mel_matrix(PARAMS) - mel).max() < 1e-5
    ours = LogMelFrames(PARAMS)(samples)
    assert ours.dtype == np.float32
    assert ours.shape == log_mel.shape == (98, 64)
    assert np.abs(ours - log_mel).max() < 2e-5  # TensorFlow's mel matrix is 8e-6 off the exact one


@pytest.mark.parametrize(
    "samples",
    [noise(16_000), sine(440, 1.0), noise(16_000, 0.001) + sine(3_000, 1.0, 0.5)],
    ids=["noise", "sine", "both"],
)
def test_log_mel_is_nearer_to_exact_than_tensorflows(samples: Samples):
    """Beside a loud sine the empty bands hold rounding errors: 2.8e-3 of TensorFlow's, 0.8e-3 of ours."""
    exact = exact_log_mel(samples)
    _, log_mel = tf_log_mel(samples)
    error = np.abs(LogMelFrames(PARAMS)(samples) - exact).max()
    assert error < 1e-3
    assert error <= np.abs(log_mel - exact).max()


def test_silence_is_the_logarithm_of_the_offset():
    log_mel = LogMelFrames(PARAMS)(silence(1.0))
    assert log_mel == pytest.approx(np.log(0.001))


@pytest.mark.parametrize(("samples", "frames"), [(0, 0), (399, 0), (400, 1), (559, 1), (560, 2)])
def test_a_frame_lies_wholly_inside(samples: int, frames: int):
    assert LogMelFrames(PARAMS)(noise(samples)).shape == (frames, 64)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(1, RATE_HZ), min_size=1, max_size=6),
    st.sampled_from(HOPS_SECONDS),
    st.integers(1, 40_000),
)
@example([1], 0.48, 24_000)
@example([RATE_HZ], 0.48, 40_000)
def test_streaming_is_offline_whatever_the_chunks(
    sizes: list[int], hop_seconds: float, samples: int
):
    params = FeatureParams(patch_hop_seconds=hop_seconds)
    waveform = noise(samples)
    streamed = stream_patches(waveform, sizes, params)
    offline = log_mel_patches(waveform, params)
    assert len(streamed) == len(offline)
    assert np.abs(log_mels(streamed) - offline).max() < 1e-5


class CountingFrames(LogMelFrames):
    """Counts the frames that it computes."""

    count = 0

    def __call__(self, samples: Samples) -> NDArray[np.float32]:
        frames = super().__call__(samples)
        self.count += len(frames)
        return frames


@pytest.mark.parametrize("hop_seconds", HOPS_SECONDS)
@pytest.mark.parametrize("size", [1, 160, 1_000, 48_000])
def test_each_frame_is_computed_once(hop_seconds: float, size: int):
    front_end = CountingFrames(PARAMS)
    stream = PatchStream(FeatureParams(patch_hop_seconds=hop_seconds), front_end)
    for chunk in cut(noise(48_000), [size]):
        stream.push(chunk)
    assert front_end.count == (48_000 - 400) // 160 + 1


@pytest.mark.parametrize(
    ("samples", "patches"),
    [(0, 0), (1, 1), (8_000, 1), (15_600, 1), (15_601, 2), (16_000, 2), (23_280, 2), (80_000, 10)],
)
def test_as_many_patches_as_the_reference_pads_to(samples: int, patches: int):
    """1 + ceil((n - 15600) / 7680), and none for nothing."""
    assert log_mel_patches(noise(samples), PARAMS).shape == (patches, 96, 64)


def test_the_last_patch_is_padded_with_silence():
    by_hand = np.concatenate([noise(8_000), silence(0.475)])
    padded, whole = (log_mel_patches(waveform, PARAMS) for waveform in (noise(8_000), by_hand))
    assert np.abs(padded - whole).max() < 1e-5


@pytest.mark.parametrize("size", [1_000, 50_000])
def test_a_patch_says_how_much_audio_is_in_it(size: int):
    seconds = [patch.seconds for patch in stream_patches(noise(24_000), [size])]
    assert seconds == [0.975, 0.975, (24_000 - 2 * 7_680) / RATE_HZ]


def test_patches_are_a_hop_apart_in_count_and_time():
    patches = stream_patches(noise(80_000), [1_234], captured_at=1_000.0)
    assert [patch.start for patch in patches] == [7_680 * k for k in range(10)]
    times = [1_000.0 + 0.48 * k for k in range(10)]
    assert [patch.captured_at for patch in patches] == pytest.approx(times, abs=1e-9)


@pytest.mark.parametrize("size", [100, 15_600, 24_000])
def test_a_patch_has_the_level_of_what_is_new_in_it(size: int):
    square = np.sign(sine(1_000, 0.48) + 1e-6)
    waveform = np.concatenate([np.zeros(15_600, np.float32), square])
    levels = [(p.level_dbfs, p.peak_dbfs) for p in stream_patches(waveform, [size])]
    assert levels == [(-120.0, -120.0), pytest.approx((0.0, 0.0), abs=1e-4)]


def test_no_patch_spans_a_hole():
    stream = PatchStream(PARAMS)
    before = noise(20_000)
    after = noise(16_000, seed=2)
    first = [p for c in cut(before, [1_000]) for p in stream.push(c)]
    later = [p for c in cut(after, [1_000], start=50_000, captured_at=9.0) for p in stream.push(c)]
    assert [patch.start for patch in first + later] == [0, 50_000]
    assert later[0].captured_at == pytest.approx(9.0)
    assert np.abs(later[0].content - log_mel_patches(after, PARAMS)[0]).max() < 1e-5


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 5_000), min_size=1, max_size=20))
def test_what_is_missing_is_what_completes_the_next_patch(sizes: list[int]):
    stream = PatchStream(PARAMS)
    for chunk in cut(noise(sum(sizes)), sizes):
        stream.push(chunk)
    missing = stream.missing_samples
    rest = noise(missing)
    begun = sum(sizes)
    assert [p for c in cut(rest[:-1], [missing], start=begun) for p in stream.push(c)] == []
    last = next(cut(rest[-1:], [1], start=begun + missing - 1))
    assert len(stream.push(last)) == 1


def test_after_its_end_a_stream_starts_over():
    stream = PatchStream(PARAMS)
    for _ in range(2):
        assert [p.start for c in cut(noise(100), [100]) for p in stream.push(c)] == []
        assert [patch.start for patch in stream.finish()] == [0]
        assert stream.finish() == []


def test_later_chunks_do_not_change_a_patch():
    stream = PatchStream(PARAMS)
    chunks = list(cut(noise(80_000), [7_680]))
    patches = [p for c in chunks[:3] for p in stream.push(c)]
    before = patches[0].content.copy()
    for chunk in chunks[3:]:
        stream.push(chunk)
    assert np.array_equal(patches[0].content, before)


PREPROCESSING = [
    Preprocessing(high_pass_hz=150.0),
    Preprocessing(level_dbfs=-20.0),
    Preprocessing(high_pass_hz=300.0, level_dbfs=-10.0, max_gain_db=6.0),
]
PLAIN = FeatureParams()
LEVELLED = FeatureParams(preprocessing=Preprocessing(level_dbfs=-20.0))


def gain_db(samples: Samples, params: FeatureParams) -> NDArray[np.float64]:
    """What was made of each patch, by a band that is far over the offset of the log."""
    changed, plain = log_mel_patches(samples, params), log_mel_patches(samples, PLAIN)
    band = plain.mean(axis=(0, 1)).argmax()
    gains: NDArray[np.float64] = 20 / np.log(10) * (changed - plain)[:, :, band].mean(axis=1)
    return gains


def test_without_a_level_patches_are_not_levelled():
    assert isinstance(make_front_end(PLAIN), LogMelFrames)
    assert isinstance(make_front_end(LEVELLED), LevelledFrames)


def test_a_patch_is_brought_to_the_level():
    """A sine of amplitude 0.1 has -23.01 dBFS."""
    tone = sine(1_000, 0.975, 0.1)
    assert gain_db(tone, LEVELLED) == pytest.approx([3.01], abs=0.1)


def test_twenty_decibels_softer_is_the_same():
    loud = noise(2 * RATE_HZ, rms=0.1)
    soft = (loud / 10).astype(np.float32)
    same, plain = (
        np.abs(log_mel_patches(loud, params) - log_mel_patches(soft, params)).max()
        for params in (LEVELLED, PLAIN)
    )
    assert same < 1e-4
    assert plain > 2.2  # ln(10) is 2.3


@pytest.mark.parametrize(("amplitude", "wanted_db"), [(1e-3, 30.0), (1.0, -16.99)])
def test_the_gain_is_bounded(amplitude: float, wanted_db: float):
    """-63 dBFS is 43 dB under the level and gains 30; -3 dBFS loses all that it is over the level."""
    tone = sine(1_000, 0.975, amplitude)
    mel = np.exp(log_mel_patches(tone, PLAIN)) - PLAIN.log_offset
    levelled = np.exp(log_mel_patches(tone, LEVELLED)) - PLAIN.log_offset
    ratio_db = 20 * np.log10(levelled.max() / mel.max())
    assert ratio_db == pytest.approx(wanted_db, abs=0.1)


def test_the_bound_holds_downwards_too():
    params = FeatureParams(preprocessing=Preprocessing(level_dbfs=-40.0, max_gain_db=6.0))
    assert gain_db(sine(1_000, 0.975, 0.5), params) == pytest.approx([-6.0], abs=0.1)


def test_silence_stays_silence():
    assert log_mel_patches(silence(2.0), LEVELLED) == pytest.approx(np.log(0.001))


def test_each_patch_has_a_gain_of_its_own():
    """A whole patch of -43 dBFS, one whose second half is 20 dB louder, one that is loud."""
    step = np.concatenate((sine(1_000, 0.975, 0.01), sine(1_000, 0.96, 0.1)))
    mel = np.exp(log_mel_patches(step, LEVELLED)) - PLAIN.log_offset
    plain = np.exp(log_mel_patches(step, PLAIN)) - PLAIN.log_offset
    gains_db = 20 * np.log10((mel / plain)[:, -1].max(axis=1))
    assert gains_db == pytest.approx([23.01, 5.98, 3.01], abs=0.2)


@pytest.mark.parametrize("preprocessing", PREPROCESSING)
@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(1, RATE_HZ), min_size=1, max_size=6),
    st.sampled_from([0.12, 0.48, 0.96]),
    st.integers(1, 40_000),
)
def test_streaming_is_offline_whatever_the_chunks_front_end(
    preprocessing: Preprocessing, sizes: list[int], hop_seconds: float, samples: int
):
    params = FeatureParams(patch_hop_seconds=hop_seconds, preprocessing=preprocessing)
    waveform = noise(samples)
    stream = PatchStream(params)
    patches = [patch for chunk in cut(waveform, sizes) for patch in stream.push(chunk)]
    patches += stream.finish()
    offline = log_mel_patches(waveform, params)
    assert len(patches) == len(offline)
    streamed = np.array([patch.content for patch in patches])
    assert np.abs(streamed - offline).max() < 1e-5


COUNTED = np.arange(40_000, dtype=np.float32)  # each sample is its own index


@pytest.mark.parametrize("size", [1_000, 7_680, 15_600, 40_000])
def test_a_patch_of_a_stream_is_its_window_whatever_the_chunk_size(size: int):
    stream = PatchStream(PARAMS, WindowFrames(PARAMS))
    starts = range(0, len(COUNTED), size)
    chunks = [AudioChunk("hall", at, 0.0, 16_000, COUNTED[at : at + size]) for at in starts]
    patches = [patch for chunk in chunks for patch in stream.push(chunk)]
    assert [patch.start for patch in patches] == [0, 7_680, 15_360, 23_040]
    for patch in patches:
        np.testing.assert_array_equal(
            patch.content, COUNTED[patch.start : patch.start + 15_600], strict=True
        )


def test_the_last_window_is_padded_with_silence():
    first, last = contents_of(COUNTED[:20_000], PARAMS, WindowFrames(PARAMS))
    np.testing.assert_array_equal(first, COUNTED[:15_600])
    np.testing.assert_array_equal(last, np.pad(COUNTED[7_680:20_000], (0, 3_280)))


@pytest.mark.parametrize(
    "preprocessing", [Preprocessing(), Preprocessing(high_pass_hz=150.0, level_dbfs=-20.0)]
)
def test_the_log_mel_of_a_window_is_that_of_its_patch(preprocessing: Preprocessing):
    params = FeatureParams(preprocessing=preprocessing)
    noise = np.random.default_rng(0).normal(0.0, 0.1, 48_000).astype(np.float32)
    windows = contents_of(noise, params, WindowFrames(params))
    log_mel = np.array([log_mel_of(window, params) for window in windows])
    np.testing.assert_allclose(log_mel, log_mel_patches(noise, params), atol=1e-5)


def test_a_log_mel_stays_as_it_is():
    log_mel = np.zeros((96, 64), np.float32)
    assert log_mel_of(log_mel, PARAMS) is log_mel

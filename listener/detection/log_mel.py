"""STFT magnitudes and mel bands, as the YAMNet reference has them from `tf.signal`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import Samples
from listener.detection.params import FeatureParams

BLOCK_FRAMES = 64  # their working memory stays in a core's cache
# An eigenvalue is the share of a basis vector's energy that lies under the cutoff. With this bound a
# sine at the cutoff loses 40 dB, one 80 Hz over it changes by at most 1 dB; with 0.01 a hum of 50 Hz
# leaves ten times as much in the mel bands.
_LEAST_SHARE_BELOW = 1e-4


_Float = TypeVar("_Float", np.float32, np.float64)

Magnitudes = NDArray[np.float32]  # (frames, fft_length / 2 + 1)


class MagnitudeSpectrum:
    """STFT frames in, their magnitudes out; one thread at a time, which shares its working memory.

    The memory is made once: large arrays that come and go with each call cost page faults, four times
    what the transform costs. The transform is in float64, as numpy makes it of float32, too.
    """

    def __init__(self, params: FeatureParams) -> None:
        bins = params.fft_length // 2 + 1
        self._window, self._low = hann_window(params), low_basis(params)
        self._padded = np.zeros((BLOCK_FRAMES, params.fft_length), np.float64)
        self._windowed = self._padded[:, : params.stft_window_samples]
        self._spectrum = np.empty((BLOCK_FRAMES, bins), np.complex64)
        self._magnitudes = np.empty((BLOCK_FRAMES, bins), np.float32)

    def __call__(self, frames: Samples) -> Magnitudes:
        """float32 (n, 400), n at most BLOCK_FRAMES -> float32 (n, 257), until the next call."""
        count = len(frames)
        if self._low is not None:
            frames = _take_out(frames, self._low)
        np.multiply(frames, self._window, out=self._windowed[:count])
        spectrum = self._spectrum[:count]
        # numpy's types know only complex128 here
        np.fft.rfft(self._padded[:count], out=spectrum)  # type: ignore[arg-type]
        magnitudes: Magnitudes = np.abs(spectrum, out=self._magnitudes[:count])
        return magnitudes


def stft_frames(samples: Samples, params: FeatureParams) -> Samples:
    """A view of float32 (n,) as its STFT frames, (frames, 400): as many as lie wholly inside."""
    width, hop = params.stft_window_samples, params.stft_hop_samples
    samples = np.ascontiguousarray(samples, np.float32)  # its memory is read as it is
    shape = (max(0, (len(samples) - width) // hop + 1), width)
    # a tenth of what sliding_window_view takes
    return np.ndarray(
        shape, np.float32, samples, strides=(hop * samples.itemsize, samples.itemsize)
    )


def _take_out(frames: Samples, low: NDArray[np.float64]) -> Samples:
    """What is not in the basis, float32 (frames, 400) -> the same.

    In float64: rounding errors of a loud hum would differ with the number of frames, and show in bands
    that are quiet.
    """
    return (frames - (frames @ low) @ low.T).astype(np.float32)


def hann_window(params: FeatureParams) -> NDArray[np.float32]:
    """The periodic Hann window, float32 (400,)."""
    samples = np.arange(params.stft_window_samples)
    return (0.5 - 0.5 * np.cos(2 * np.pi * samples / len(samples))).astype(np.float32)


@lru_cache(maxsize=8)
def low_basis(params: FeatureParams) -> NDArray[np.float64] | None:
    """What of a frame lies under the high-pass: orthonormal columns, float64 (400, r); None without one.

    They are the discrete prolate spheroidal sequences, whose energy under the cutoff is the greatest
    that 25 ms allow (D. Slepian, Bell System Technical Journal 57, 1978).
    """
    cutoff_hz = params.preprocessing.high_pass_hz
    if cutoff_hz is None:
        return None
    samples = np.arange(params.stft_window_samples)
    cycles = 2 * cutoff_hz / params.sample_rate_hz
    kernel = cycles * np.sinc(cycles * (samples[:, None] - samples))
    shares, vectors = np.linalg.eigh(kernel)
    return _frozen(vectors[:, shares > _LEAST_SHARE_BELOW])


@lru_cache(maxsize=8)
def mel_matrix(params: FeatureParams) -> NDArray[np.float32]:
    """Triangular HTK mel bands, float32 (fft_length / 2 + 1, mel_bands), as `tf.signal` makes them.

    The triangles are linear in mel, unnormalised, and the DC bin is left out
    (`tf.signal.linear_to_mel_weight_matrix`).
    """
    bin_mel = _hz_to_mel(_bins_hz(params)[1:, None])
    edges = np.linspace(
        _hz_to_mel(np.array(params.mel_min_hz)),
        _hz_to_mel(np.array(params.mel_max_hz)),
        params.mel_bands + 2,
    )
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (bin_mel - lower) / (centre - lower)
    falling = (upper - bin_mel) / (upper - centre)
    weights = np.maximum(0.0, np.minimum(rising, falling))
    return _frozen(np.pad(weights, [(1, 0), (0, 0)]).astype(np.float32))


class MelBands:
    """Magnitudes in, mel bands out.

    The low bands need none of the high bins and the other way round: in halves it takes two thirds.
    """

    def __init__(self, params: FeatureParams) -> None:
        half = params.mel_bands // 2
        matrix = mel_matrix(params)
        self._parts = [_Part.of(matrix, bands) for bands in (slice(half), slice(half, None))]

    def multiply(self, magnitudes: Magnitudes, out: NDArray[np.float32]) -> None:
        """float32 (n, 257) -> `out`, float32 (n, mel_bands)."""
        for part in self._parts:
            np.matmul(magnitudes[:, part.bins], part.weights, out=out[:, part.bands])


@dataclass(frozen=True, slots=True)
class _Part:
    """Some bands of a mel matrix, and the bins that they need."""

    bins: slice
    bands: slice
    weights: NDArray[np.float32]

    @classmethod
    def of(cls, matrix: NDArray[np.float32], bands: slice) -> Self:
        needed = np.flatnonzero(matrix[:, bands].any(axis=1))
        bins = slice(needed[0], needed[-1] + 1) if len(needed) else slice(0)
        return cls(bins, bands, np.ascontiguousarray(matrix[bins, bands]))


@lru_cache(maxsize=8)
def mean_square_weights(params: FeatureParams) -> NDArray[np.float32]:
    """What the power of a frame is multiplied with to give its mean square, float32 (257,).

    By Parseval's theorem, of what lies between `mel_min_hz` and `mel_max_hz`: a level should not follow
    what the mel bands do not hear.
    """
    bins = _bins_hz(params)
    heard = (bins >= params.mel_min_hz) & (bins <= params.mel_max_hz)
    both_sides = 2.0 * heard  # of the spectrum, of which rfft gives one
    energy = np.square(hann_window(params)).sum() * params.fft_length
    return _frozen((both_sides / energy).astype(np.float32))


def _bins_hz(params: FeatureParams) -> NDArray[np.float64]:
    return np.linspace(0.0, params.sample_rate_hz / 2, params.fft_length // 2 + 1)


def _hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1127.0 * np.log1p(hz / 700.0)


def _frozen(table: NDArray[_Float]) -> NDArray[_Float]:
    """Not to be written to, since all users of the parameters share it."""
    table.flags.writeable = False
    return table

"""STFT magnitudes and mel bands, as `tf.signal` computes them for the YAMNet reference."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import Samples
from listener.detection.params import FeatureParams

BLOCK_FRAMES = 64  # their working memory stays in a core's cache
# The least share of a basis vector's energy that is under the cutoff, an eigenvalue. With this bound a
# sine at the cutoff loses 40 dB, one 80 Hz over it changes by at most 1 dB; with 0.01 a hum of 50 Hz
# leaves ten times as much in the mel bands.
_MIN_ENERGY_SHARE = 1e-4

Magnitudes = NDArray[np.float32]  # (frames, fft_length / 2 + 1)
_Float = TypeVar("_Float", np.float32, np.float64)


class MagnitudeSpectrum:
    """STFT frames -> their magnitudes; for one thread at a time, since calls share working memory.

    It is allocated once: large arrays that are allocated in each call cost page faults, which take four
    times as long as the transform. The transform is in float64, which numpy uses for float32, too.
    """

    def __init__(self, params: FeatureParams) -> None:
        bins = params.fft_length // 2 + 1
        self._window, self._low = hann_window(params), low_frequency_basis(params)
        self._padded = np.zeros((BLOCK_FRAMES, params.fft_length), np.float64)
        self._windowed = self._padded[:, : params.stft_window_samples]
        self._spectrum = np.empty((BLOCK_FRAMES, bins), np.complex64)
        self._magnitudes = np.empty((BLOCK_FRAMES, bins), np.float32)

    def __call__(self, frames: Samples) -> Magnitudes:
        """float32 (n, 400), n at most BLOCK_FRAMES -> float32 (n, 257), until the next call."""
        count = len(frames)
        if self._low is not None:
            # float64: rounding errors of a loud hum would depend on the number of frames, and show in
            # quiet bands
            frames = (frames - (frames @ self._low) @ self._low.T).astype(np.float32)
        np.multiply(frames, self._window, out=self._windowed[:count])
        spectrum = self._spectrum[:count]
        # numpy's types know only complex128 here
        np.fft.rfft(self._padded[:count], out=spectrum)  # type: ignore[arg-type]
        magnitudes: Magnitudes = np.abs(spectrum, out=self._magnitudes[:count])
        return magnitudes


def stft_frames(samples: Samples, params: FeatureParams) -> Samples:
    """A view of float32 (n,) as its STFT frames, (frames, 400): as many as lie wholly inside."""
    width, hop = params.stft_window_samples, params.stft_hop_samples
    samples = np.ascontiguousarray(samples, np.float32)  # np.ndarray reads the memory as it is
    shape = (max(0, (len(samples) - width) // hop + 1), width)
    # ten times as fast as sliding_window_view
    return np.ndarray(
        shape, np.float32, samples, strides=(hop * samples.itemsize, samples.itemsize)
    )


def hann_window(params: FeatureParams) -> NDArray[np.float32]:
    """The periodic Hann window, float32 (400,)."""
    samples = np.arange(params.stft_window_samples)
    return (0.5 - 0.5 * np.cos(2 * np.pi * samples / len(samples))).astype(np.float32)


@lru_cache(maxsize=8)
def low_frequency_basis(params: FeatureParams) -> NDArray[np.float64] | None:
    """What the high-pass removes: orthonormal columns, float64 (400, r); None without a high-pass.

    They are the discrete prolate spheroidal sequences, which have the most energy under the cutoff that
    25 ms allow (D. Slepian, Bell System Technical Journal 57, 1978).
    """
    cutoff_hz = params.preprocessing.high_pass_hz
    if cutoff_hz is None:
        return None
    samples = np.arange(params.stft_window_samples)
    cycles = 2 * cutoff_hz / params.sample_rate_hz
    kernel = cycles * np.sinc(cycles * (samples[:, None] - samples))
    shares, vectors = np.linalg.eigh(kernel)
    return _read_only(vectors[:, shares > _MIN_ENERGY_SHARE])


@lru_cache(maxsize=8)
def mel_matrix(params: FeatureParams) -> NDArray[np.float32]:
    """Triangular HTK mel bands, float32 (fft_length / 2 + 1, mel_bands), as in `tf.signal`.

    The triangles are linear in mel, unnormalised, and the DC bin is left out
    (`tf.signal.linear_to_mel_weight_matrix`).
    """
    bin_mel = _hz_to_mel(_bins_hz(params)[1:, None])
    edges = _edges_mel(params)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (bin_mel - lower) / (centre - lower)
    falling = (upper - bin_mel) / (upper - centre)
    weights = np.maximum(0.0, np.minimum(rising, falling))
    return _read_only(np.pad(weights, [(1, 0), (0, 0)]).astype(np.float32))


@lru_cache(maxsize=8)
def band_centres_hz(params: FeatureParams) -> NDArray[np.float64]:
    """The frequency at which each mel band is most sensitive, float64 (mel_bands,)."""
    return _read_only(700.0 * np.expm1(_edges_mel(params)[1:-1] / 1127.0))


class MelBands:
    """Magnitudes -> mel bands.

    The low bands need no high bins and the high bands no low ones: two halves take two thirds of the time.
    """

    def __init__(self, params: FeatureParams) -> None:
        half = params.mel_bands // 2
        matrix = mel_matrix(params)
        self._halves = [_BandRange.of(matrix, bands) for bands in (slice(half), slice(half, None))]

    def multiply(self, magnitudes: Magnitudes, out: NDArray[np.float32]) -> None:
        """float32 (n, 257) -> `out`, float32 (n, mel_bands)."""
        for half in self._halves:
            np.matmul(magnitudes[:, half.bins], half.weights, out=out[:, half.bands])


@dataclass(frozen=True, slots=True)
class _BandRange:
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
    """The weights that make the mean square of a frame from its power spectrum, float32 (257,).

    By Parseval's theorem, for what is between `mel_min_hz` and `mel_max_hz`: what no mel band covers should
    not change the level.
    """
    bins = _bins_hz(params)
    covered = (bins >= params.mel_min_hz) & (bins <= params.mel_max_hz)
    both_sides = 2.0 * covered  # rfft gives one side of the spectrum
    energy = np.square(hann_window(params)).sum() * params.fft_length
    return _read_only((both_sides / energy).astype(np.float32))


def _bins_hz(params: FeatureParams) -> NDArray[np.float64]:
    return np.linspace(0.0, params.sample_rate_hz / 2, params.fft_length // 2 + 1)


def _edges_mel(params: FeatureParams) -> NDArray[np.float64]:
    """Where the bands begin, peak and end: each spans two steps, float64 (mel_bands + 2,)."""
    lowest, highest = _hz_to_mel(np.array((params.mel_min_hz, params.mel_max_hz)))
    return np.linspace(lowest, highest, params.mel_bands + 2)


def _hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1127.0 * np.log1p(hz / 700.0)


def _read_only(table: NDArray[_Float]) -> NDArray[_Float]:
    """The same table, protected from writes: all users of the parameters share it."""
    table.flags.writeable = False
    return table

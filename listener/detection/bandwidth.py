"""Above which frequency a source has nothing, seen in the log-mel patches that are computed anyway."""

from functools import reduce

import numpy as np
from numpy.typing import NDArray

from listener.detection.features import Content, log_mel_of
from listener.detection.log_mel import band_centres_hz
from listener.detection.params import FeatureParams

LOOKS = 10  # with an edge, before it is believed: there may just have been no hiss so far

# G.711, G.726, AMR and what is resampled from 8 kHz fall by 70 dB and more within three bands, Opus and MP3
# by 60; a Butterworth filter of 48 dB an octave by less than 30, and so does every natural sound.
_BEGINS_DB, _ENDS_DB = 30.0, 15.0
_BODY_BANDS, _EDGE_BANDS = 6, 2  # those under an edge that must all have sound, and the edge itself
_LEAST_HZ, _MOST_HZ = 1_800.0, 6_300.0  # of an edge; above, too few bands are left to judge by
_AUDIBLE_HZ = (1_000.0, 3_000.0)  # a patch counts if half of the bands here
_AUDIBLE_DB = 30.0  # are so far over the log's offset, which is the floor of all bands
_BLOCK_FRAMES = 8  # are averaged: a click of one frame is not a broadband sound
_FORGOTTEN_DB = 0.2  # with each look: another codec is noticed after some minutes
_SAME_BANDS = 4  # edges as close as that are one
_EVERY, _EVERY_WINDOW = 4, 32  # patches: the log-mel of a window has yet to be computed
_PER_DB = float(np.log(10.0) / 20.0)  # log-mel is the natural logarithm of an amplitude

_Levels = NDArray[np.float32]  # of each band: (mel_bands,), as in the log-mel


class BandwidthMeter:
    """Patches of one source -> the frequency above which it has nothing.

    The loudest moments of each band make an envelope, which is forgotten slowly. It has an edge where each
    of the next six bands below is 30 dB over every band above. Hums, tones and dull rooms have none, and
    one broadband sound ends it. Silent and quiet patches do not count. One patch of `every` is looked at,
    and an edge is believed after so many `looks` at sound.
    """

    def __init__(self, params: FeatureParams, looks: int = LOOKS, every: int | None = None) -> None:
        self.bandwidth_hz: float | None = None
        """A multiple of 100; None if it is full or unknown."""
        self._params, self._looks, self._every = params, looks, every
        self._centres_hz = band_centres_hz(params)
        self._audible = slice(*np.searchsorted(self._centres_hz, _AUDIBLE_HZ).tolist())
        self._audible_from = float(np.log(params.log_offset)) + _AUDIBLE_DB * _PER_DB
        least, most = np.searchsorted(self._centres_hz, (_LEAST_HZ, _MOST_HZ)).tolist()
        self._firsts = range(max(least, _BODY_BANDS + _EDGE_BANDS), most)  # bands over an edge
        self._envelope: _Levels | None = None
        self._known = 0  # the first band over the known edge
        self._patches = 0
        self._seen = 0  # looks with an edge

    @property
    def suspects_limit(self) -> bool:
        """Whether the sound so far has an edge, at however few looks."""
        return self._seen > 0

    def push(self, content: Content) -> float | None:
        """Add the next patch, log-mel or window; the bandwidth."""
        every = self._every or (_EVERY if content.ndim > 1 else _EVERY_WINDOW)
        due = self._patches % every == 0
        self._patches += 1
        if due and self._firsts:
            log_mel = log_mel_of(content, self._params)
            blocks = log_mel[: len(log_mel) // _BLOCK_FRAMES * _BLOCK_FRAMES]
            sums = blocks.reshape(-1, _BLOCK_FRAMES, log_mel.shape[1]).sum(axis=1)
            levels = np.asarray(sums.max(axis=0) / _BLOCK_FRAMES, np.float32)  # of each band
            audible = levels[self._audible] >= self._audible_from
            if 2 * np.count_nonzero(audible) >= len(audible):
                self._add(levels)
        return self.bandwidth_hz

    def _add(self, levels: _Levels) -> None:
        if self._envelope is not None:
            forgotten = np.float32(_FORGOTTEN_DB * _PER_DB)
            levels = np.maximum(levels, self._envelope - forgotten)
        self._envelope = levels
        first, drop_db = self._sharpest_edge(levels)
        if drop_db >= _BEGINS_DB:
            self._seen += 1
            same = self.bandwidth_hz is not None and abs(first - self._known) <= _SAME_BANDS
            if self._seen >= self._looks and not same:
                edge = slice(first - _EDGE_BANDS - 1, first + 1)
                falling = np.maximum.accumulate(
                    levels[edge][::-1]
                )  # backwards: for np.interp it rises
                middle = (falling[0] + falling[-1]) / 2  # between the two sides of the edge
                edge_hz = float(np.interp(middle, falling, self._centres_hz[edge][::-1]))
                self._known, self.bandwidth_hz = first, round(edge_hz, -2)
        elif self.bandwidth_hz is None or drop_db < _ENDS_DB:
            self._seen, self.bandwidth_hz = 0, None

    def _sharpest_edge(self, levels: _Levels) -> tuple[int, float]:
        """The first band over it, and by how many dB the bands above are at least lower."""
        above = np.maximum.accumulate(levels[::-1])[::-1][self._firsts.start : self._firsts.stop]
        begin = self._firsts.start - _EDGE_BANDS - _BODY_BANDS
        shifted = (levels[begin + band :][: len(above)] for band in range(_BODY_BANDS))
        drops = reduce(np.minimum, shifted) - above
        sharpest = int(drops.argmax())
        return self._firsts[sharpest], float(drops[sharpest]) / _PER_DB


def describe_bandwidth(bandwidth_hz: float) -> str:
    """What a limit means, one line for people."""
    return f"nothing above {bandwidth_hz:g} Hz, as with telephone codecs: sounds may be mistaken"

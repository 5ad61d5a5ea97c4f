"""Windows in the place of log-mel, for an engine that makes the log-mel itself."""

from __future__ import annotations

import numpy as np

from listener.detection.audio import Samples
from listener.detection.front_end import Content, Frames, LogMel, make_front_end
from listener.detection.params import FeatureParams
from listener.detection.spectrum import stft_frames


class WindowFrames:
    """A `FrontEnd` whose frames are their samples, (frames, 400), and whose patch is the window."""

    def __init__(self, params: FeatureParams) -> None:
        self._params = params

    def __call__(self, samples: Samples) -> Frames:
        """float32 (n,) -> float32 (frames, 400), which overlap."""
        return stft_frames(samples, self._params)

    def patch(self, frames: Frames) -> Content:
        """The frames -> the window that they are of, float32 (15600,)."""
        hop = self._params.stft_hop_samples
        return np.concatenate((frames[:-1, :hop].ravel(), frames[-1]))


def log_mel_of(content: Content, params: FeatureParams) -> LogMel:
    """What an engine takes of a patch -> its log-mel, float32 (96, 64): made here, if it is the window."""
    if content.ndim > 1:
        return content
    front_end = make_front_end(params)
    return front_end.patch(front_end(content))

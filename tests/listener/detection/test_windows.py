"""Windows in the place of log-mel: the samples of each patch, in a stream as offline."""

from __future__ import annotations

import numpy as np
import pytest

from listener.detection.audio import AudioChunk
from listener.detection.features import PatchStream, contents_of, log_mel_patches
from listener.detection.params import FeatureParams, Preprocessing
from listener.detection.windows import WindowFrames, log_mel_of

PARAMS = FeatureParams()
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

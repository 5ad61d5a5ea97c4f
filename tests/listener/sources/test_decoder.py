import io
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from listener.config.sources import StreamSettings
from listener.detection.audio import Samples
from listener.sources.decoder import Decoder, frame_to_mono
from listener.sources.source import SourceError
from tests.listener.sources.conftest import TONE_RATE


def frame(array: NDArray[Any], sample_format: str, layout: str) -> Any:
    built = av.AudioFrame.from_ndarray(array, format=sample_format, layout=layout)
    built.sample_rate = 8000
    return built


@pytest.mark.parametrize(
    ("sample_format", "dtype", "zero", "half"),
    [
        ("u8", np.uint8, 128, 64),
        ("s16", np.int16, 0, 2**14),
        ("s32", np.int32, 0, 2**30),
        ("flt", np.float32, 0.0, 0.5),
        ("dbl", np.float64, 0.0, 0.5),
    ],
)
def test_every_sample_format_packed_or_planar_gives_the_mean_of_its_channels(
    sample_format, dtype, zero, half
):
    """Left is 0, 0.5, 0, -0.5; right is silent."""
    left = np.array([zero, zero + half, zero, zero - half]).astype(dtype)
    stereo = np.stack([left, np.full(4, zero, dtype)])
    planar = frame(stereo, sample_format + "p", "stereo")
    packed = frame(np.ascontiguousarray(stereo.T.reshape(1, -1)), sample_format, "stereo")
    mono = frame(left.reshape(1, -1), sample_format, "mono")
    np.testing.assert_array_equal(frame_to_mono(planar), [0.0, 0.25, 0.0, -0.25])
    np.testing.assert_array_equal(frame_to_mono(packed), [0.0, 0.25, 0.0, -0.25])
    np.testing.assert_array_equal(frame_to_mono(mono), [0.0, 0.5, 0.0, -0.5])
    assert frame_to_mono(planar).dtype == np.float32


def settings(path: Path) -> StreamSettings:
    return StreamSettings(name="s", kind="stream", url=str(path))


def test_a_file_is_decoded_to_its_end_at_its_own_rate(tone):
    decoder = Decoder(settings(tone))
    blocks = receive_all(decoder)
    decoder.close()
    decoder.close()
    assert decoder.sample_rate_hz == TONE_RATE
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(3 * TONE_RATE) / TONE_RATE)
    np.testing.assert_allclose(np.concatenate(blocks), expected, atol=2 / 32768)


def receive_all(decoder: Decoder) -> list[Samples]:
    blocks = []
    while not decoder.at_end:
        blocks += decoder.receive()
    return blocks


def picture(directory: Path) -> Path:
    """A video without sound."""
    path = directory / "picture.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=5)
        video.width = video.height = 64
        image = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        container.mux(video.encode(image))
        container.mux(video.encode(None))
    return path


def test_no_audio_track_says_so(tmp_path):
    with pytest.raises(SourceError, match="expected audio, found no audio track"):
        Decoder(settings(picture(tmp_path)))


def test_another_sample_rate_in_the_middle_is_an_error(tmp_path):
    """Two MP3 files in one, as when a radio changes its programme."""
    path = tmp_path / "two.mp3"
    path.write_bytes(mp3(16_000) + mp3(24_000))
    decoder = Decoder(settings(path))
    with pytest.raises(SourceError, match="the sample rate changed from 16000 to 24000 Hz"):
        receive_all(decoder)
    decoder.close()


def mp3(rate: int) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp3") as container:
        stream = container.add_stream("mp3", rate=rate)
        stream.layout = "mono"
        silence = frame(np.zeros((1, rate), np.float32), "fltp", "mono")
        silence.sample_rate = rate
        container.mux(stream.encode(silence))
        container.mux(stream.encode(None))
    return buffer.getvalue()

"""StreamSource: HTTP, RTSP and files through FFmpeg; every fault is one line without secrets."""

import io
import os
import signal
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from listener.config.sources import StreamSettings
from listener.detection.audio import AudioChunk, Samples
from listener.sources.live import LEAD_SECONDS
from listener.sources.source import SourceError
from listener.sources.stream import Decoder, StreamSource, frame_to_mono, redact
from tests.fuzz.seeds import encode
from tests.listener.sources.conftest import TONE_RATE, TONE_RMS
from tests.listener.sources.reading import read_all, read_chunk
from tests.rigs import rtsp
from tests.rigs.fake_rtsp import Faults, fake_rtsp_server
from tests.rigs.http_audio import Page, http_server

SECRETS = ("me", "s3cret", "t0ken")
WITHOUT_AV = """
import sys
sys.modules["av"] = None  # as if it were not installed
from listener.config.sources import StreamSettings
from listener.sources.source import SourceError
from listener.sources.stream import StreamSource
try:
    StreamSource(StreamSettings(name="s", kind="stream", url="http://127.0.0.1:1/"))
except SourceError as error:
    print(error)
"""
NOISY = """
import sys
from listener.config.sources import StreamSettings
from listener.sources.source import SourceError
from listener.sources.stream import StreamSource
try:
    StreamSource(StreamSettings(name="s", kind="stream", url=sys.argv[1]))
except SourceError as error:
    print(error)
"""


def source(url: str | Path, **settings: Any) -> StreamSource:
    timeouts = {"open_timeout_seconds": 2.0, "read_timeout_seconds": 1.0}
    return StreamSource(
        StreamSettings(name="s", kind="stream", url=str(url), **{**timeouts, **settings})
    )


def read_until_lost(opened: StreamSource) -> str:
    """The error that ends the stream."""
    with pytest.raises(SourceError) as caught:
        read_all(opened)
    opened.close()
    return str(caught.value)


def rms(chunks: list[AudioChunk]) -> float:
    return float(np.sqrt(np.mean(np.concatenate([c.samples for c in chunks]) ** 2)))


def wav_of(seconds: float) -> bytes:
    """Silence at 8 kHz, 16 bits."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(round(seconds * 8000)), 8000, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def pages(tone, tmp_path_factory):
    ogg = tmp_path_factory.mktemp("http") / "tone.ogg"
    samples, _ = soundfile.read(tone)
    soundfile.write(ogg, samples, TONE_RATE)
    wav = tone.read_bytes()
    return {
        "/tone.wav": Page(wav),
        "/tone.ogg": Page(ogg.read_bytes(), content_type="audio/ogg", chunked=True),
        "/stalled.wav": Page(wav_of(20.0), stall_after_bytes=8 * 16_000 + 44),
        "/deaf.wav": Page(wav, stall_after_bytes=0),
        "/private.wav": Page(wav, login="me:s3cret"),
        "/noise": Page(os.urandom(100_000)),
        "/text": Page(b"<html>no audio here</html>" * 100, content_type="text/html"),
        "/empty": Page(),
        "/broken": Page(status=500),
    }


@pytest.fixture
def http(pages):
    with http_server(pages) as address:
        yield address


@pytest.mark.parametrize("page", ["tone.wav", "tone.ogg"])
def test_audio_over_http_is_read_to_its_end(http, page):
    opened = source(f"http://{http}/{page}", at_end="stop")
    chunks = read_all(opened)
    opened.close()
    assert sum(len(c.samples) for c in chunks) == pytest.approx(3 * TONE_RATE, abs=2000)
    assert {(c.source, c.sample_rate_hz) for c in chunks} == {("s", TONE_RATE)}
    assert rms(chunks) == pytest.approx(TONE_RMS, rel=0.05)
    for before, after in pairwise(chunks):
        assert after.start == before.end
        assert after.captured_at == pytest.approx(before.ended_at, abs=0.05)


def test_the_end_is_an_error_if_the_stream_is_to_be_opened_again(http):
    lost = read_until_lost(source(f"http://{http}/tone.wav", at_end="restart"))
    assert lost == f"http://{http}/tone.wav: the stream ended"


def test_a_long_recording_is_not_read_at_once(tmp_path):
    path = tmp_path / "long.flac"
    soundfile.write(path, np.zeros(60 * 8000), 8000)
    opened = source(path, at_end="stop")
    read = [len(read_chunk(opened, 0.5).samples) / 8000 for _ in range(24)]
    assert LEAD_SECONDS < sum(read) < LEAD_SECONDS + 6
    opened.close()
    assert opened.read(0.5) is None


def test_close_from_another_thread_ends_the_reading(tmp_path):
    path = tmp_path / "long.flac"
    soundfile.write(path, np.zeros(60 * 8000), 8000)
    built, finished = threading.Event(), []

    def capture():
        opened.append(source(path))
        built.set()
        finished.extend(read_all(opened[0]))

    opened: list[StreamSource] = []
    thread = threading.Thread(target=capture)
    thread.start()
    assert built.wait(10)
    opened[0].close()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        ("nowhere.wav", "cannot be opened: Server returned 404 Not Found"),
        ("private.wav", "cannot be opened: Server returned 401 Unauthorized"),
        ("broken", "cannot be opened: Server returned 5XX Server Error reply"),
        ("deaf.wav", "cannot be opened: no answer within 2 s"),
        ("noise", "cannot be opened: "),
        ("text", "cannot be opened: "),
        ("empty", "cannot be opened: "),
    ],
)
def test_an_http_fault_is_one_line_without_secrets(http, page, fault):
    with pytest.raises(SourceError) as caught:
        source(f"http://me:wrong-s3cret@{http}/{page}?key=t0ken").close()
    line = str(caught.value)
    assert line.startswith(f"http://{http}/{page}?key=...: {fault}")
    assert "\n" not in line
    assert not any(secret in line.partition(": ")[0] for secret in SECRETS)
    assert caught.value.__cause__ is None  # FFmpeg's own error holds the address


def test_the_right_password_opens_a_stream(http):
    source(f"http://me:s3cret@{http}/private.wav").close()


def test_a_server_that_stalls_is_lost_within_the_read_timeout(http):
    opened = source(f"http://{http}/stalled.wav")
    samples = 0
    while samples < 8 * 8000 - 1024:  # the burst that came before
        samples += len(read_chunk(opened, 0.5).samples)
    assert read_until_lost(opened) == f"http://{http}/stalled.wav: lost: no answer within 1 s"


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://127.0.0.1:1/a", "http://127.0.0.1:1/a: cannot be opened: Connection refused"),
        ("rtsp://127.0.0.1:1/a", "rtsp://127.0.0.1:1/a: cannot be opened: Connection refused"),
        ("/no/such/file.m4a", "/no/such/file.m4a: cannot be opened: No such file or directory"),
        ("smoke://host/a", "smoke://host/a: cannot be opened: Protocol not found"),
    ],
)
def test_an_address_without_a_stream_is_one_line(url, fault):
    with pytest.raises(SourceError) as caught:
        source(url)
    assert str(caught.value) == fault


@pytest.mark.parametrize(
    ("faults", "line"),
    [
        (Faults(refuse=True), "cannot be opened: Server returned 401 Unauthorized"),
        (Faults(mute=True), "cannot be opened: no answer within 2 s"),
        (Faults(garbage=True), "cannot be opened: Invalid data found"),
        (Faults(media="video"), "expected audio, found no audio track"),
        (Faults(stall_after=0.0), "lost: no answer within 1 s"),
        (Faults(cut_after=0.0), "ended before any audio came"),
    ],
)
def test_an_rtsp_server_that_fails_at_once_is_one_line(faults, line):
    with fake_rtsp_server(faults) as address, pytest.raises(SourceError) as caught:
        source(f"rtsp://me:s3cret@{address}/cam?key=t0ken")
    assert str(caught.value).startswith(f"rtsp://{address}/cam?key=...: {line}")


@pytest.mark.parametrize(
    ("faults", "line"),
    [
        (Faults(stall_after=1.0), "lost: no answer within 1 s"),
        (Faults(cut_after=1.0), "the stream ended"),
        (Faults(noise_after=1.0), "lost: no answer within 1 s"),
    ],
)
def test_an_rtsp_server_that_fails_later_is_lost_within_the_read_timeout(faults, line):
    with fake_rtsp_server(faults) as address:
        opened = source(f"rtsp://{address}/cam")
        first = read_chunk(opened, 0.48)
        assert (len(first.samples), first.sample_rate_hz) == (3840, 8000)
        assert read_until_lost(opened) == f"rtsp://{address}/cam: {line}"


@pytest.mark.skipif(rtsp.missing() is not None, reason=str(rtsp.missing()))
@pytest.mark.parametrize(("codec", "rate"), [("L16", 16_000), ("PCMA", 8000), ("OPUS", 48_000)])
def test_a_real_rtsp_server_is_read_at_its_own_rate(tone, codec, rate):
    with rtsp.rtsp_server(tone, codec) as address:
        opened = source(f"rtsp://{address}", open_timeout_seconds=10.0, read_timeout_seconds=5.0)
        chunks = [read_chunk(opened, 0.48) for _ in range(3)]
        opened.close()
    assert {c.sample_rate_hz for c in chunks} == {rate}
    assert [c.start for c in chunks] == [0, chunks[0].end, chunks[1].end]
    assert rms(chunks) == pytest.approx(TONE_RMS, rel=0.05)


@pytest.mark.skipif(rtsp.missing() is not None, reason=str(rtsp.missing()))
def test_a_real_rtsp_server_asks_for_the_password(tone):
    with rtsp.rtsp_server(tone, login="me:s3cret") as address:
        source(f"rtsp://me:s3cret@{address}", open_timeout_seconds=10.0).close()
        with pytest.raises(SourceError, match="401 Unauthorized") as caught:
            source(f"rtsp://me:no-s3cret@{address}", open_timeout_seconds=10.0)
    assert str(caught.value).startswith(f"rtsp://{address}: cannot be opened: ")
    assert "s3cret" not in str(caught.value)


def test_without_pyav_the_line_names_the_command_that_installs_it():
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_AV], capture_output=True, text=True, check=False
    )
    assert (ran.stdout, ran.stderr, ran.returncode) == (
        "a source of kind \"stream\" needs PyAV: pip install 'earshot[streams]'\n",
        "",
        0,
    )


def test_ffmpeg_writes_nothing_of_its_own(http):
    url = f"http://me:s3cret@{http}/noise"
    ran = subprocess.run(
        [sys.executable, "-c", NOISY, url], capture_output=True, text=True, check=False
    )
    assert ran.stdout.startswith(f"http://{http}/noise: cannot be opened: ")
    assert ran.stderr == ""


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://me:secret@cam.local:554/live", "rtsp://cam.local:554/live"),
        ("http://me:p%40ss@word@host/a", "http://host/a"),
        ("https://host/a?token=secret&x=1#frag", "https://host/a?token=...&x=..."),
        ("https://host/a;b?secret", "https://host/a;b?..."),
        ("https://host/a?token=c2VjcmV0==&x=1", "https://host/a?token=...&x=..."),
        ("rtsp://me:sec/ret@host/a", "rtsp:..."),
        ("rtsp://me:secret@[::1]:554/a", "rtsp://[::1]:554/a"),
        ("http://me:secret@[bad/a", "http:..."),
        ("/var/sounds/a b.m4a", "/var/sounds/a b.m4a"),
        ("sounds/a.m4a", "sounds/a.m4a"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url, shown):
    assert redact(url) == shown


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


@pytest.mark.parametrize(
    ("container", "codec", "layout"),
    [("wav", "pcm_s64le", "mono"), ("mp4", "aac", "7.1"), ("w64", "pcm_f64le", "7.1")],
)
def test_what_pyav_itself_cannot_convert_is_decoded(
    tmp_path: Path, container: str, codec: str, layout: str
):
    path = tmp_path / "tone"
    path.write_bytes(encode(container, codec, layout, seconds=1.0))
    decoder = open_decoder(path)
    heard = np.concatenate(receive_all(decoder))
    decoder.close()
    assert len(heard) == pytest.approx(TONE_RATE, abs=2048)
    channels = 8 if layout == "7.1" else 1
    assert np.abs(heard[4000:12_000]).max() == pytest.approx(16_000 / 32_768 / channels, rel=0.5)


BARE = """
import sys, av
with av.open(sys.argv[1]) as file:
    for frame in file.decode(audio=0):
        frame.to_ndarray()
print("it lives")
"""


def test_the_eight_planes_of_an_aac_kill_a_bare_reader(tmp_path: Path):
    """The control: PyAV counts nine, and reads where nothing is. Once it ends well, so may our detour."""
    path = tmp_path / "tone.mp4"
    path.write_bytes(encode("mp4", "aac", "7.1"))
    ran = subprocess.run(
        [sys.executable, "-c", BARE, str(path)], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (-signal.SIGSEGV, "")


def test_a_double_that_is_too_large_is_infinite_and_no_warning():
    large = frame(np.array([[1e300, -1e300, 0.5]]), "dbl", "mono")
    np.testing.assert_array_equal(frame_to_mono(large), [np.inf, -np.inf, 0.5])


def open_decoder(path: Path) -> Decoder:
    return Decoder(StreamSettings(name="s", kind="stream", url=str(path)))


def test_a_file_is_decoded_to_its_end_at_its_own_rate(tone):
    decoder = open_decoder(tone)
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


def video(directory: Path) -> Path:
    """A video without audio."""
    path = directory / "video.mkv"
    with av.open(str(path), "w") as container:
        track = container.add_stream("mpeg4", rate=5)
        track.width = track.height = 64
        image = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        container.mux(track.encode(image))
        container.mux(track.encode(None))
    return path


def test_a_video_without_audio_is_one_line(tmp_path):
    with pytest.raises(SourceError, match="expected audio, found no audio track"):
        open_decoder(video(tmp_path))


def test_a_change_of_the_sample_rate_is_an_error(tmp_path):
    """Two MP3 files in one, as when a radio station changes its encoder."""
    path = tmp_path / "two.mp3"
    path.write_bytes(mp3(16_000) + mp3(24_000))
    decoder = open_decoder(path)
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

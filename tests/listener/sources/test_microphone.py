"""MicrophoneSource: every sample, one line for a lost device, and a close that does not hang."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
import soundfile

from listener.config.sources import MicrophoneSettings
from listener.detection.audio import AudioChunk, Samples
from listener.sources import portaudio
from listener.sources.microphone import MicrophoneSource, call_within
from listener.sources.source import SourceError
from tests.listener.sources.reading import read_chunk
from tests.rigs import pulse

RATE = 44_100  # the native rate of a PulseAudio device for PortAudio
WITHOUT_PORTAUDIO = """
import ctypes.util, sys
ctypes.util.find_library = lambda name: None
sys.modules["_sounddevice_data"] = None
from listener.config.sources import MicrophoneSettings
from listener.sources.microphone import MicrophoneSource
from listener.sources.source import SourceError
try:
    MicrophoneSource(MicrophoneSettings(name="m", kind="microphone"))
except SourceError as error:
    print(error)
"""


needs_pulse = pytest.mark.skipif(
    pulse.microphone_missing() is not None, reason=str(pulse.microphone_missing())
)


@pytest.fixture
def rig(tmp_path, monkeypatch):
    with pulse.virtual_microphone(tmp_path / "p", RATE) as microphone:
        for name, value in microphone.environment.items():
            monkeypatch.setenv(name, value)
        yield microphone


def open_microphone(device: str = pulse.DEVICE) -> MicrophoneSource:
    return MicrophoneSource(MicrophoneSettings(name="hall", kind="microphone", device=device))


def read_until(
    opened: MicrophoneSource, found: Callable[[list[AudioChunk]], object], seconds: float = 30.0
) -> list[AudioChunk]:
    """Chunks up to the first for which `found` is true."""
    chunks: list[AudioChunk] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        chunks.append(read_chunk(opened, 0.48))
        if found(chunks):
            return chunks
    raise AssertionError(f"not found within {seconds} s")


def samples_of(chunks: list[AudioChunk]) -> Samples:
    return np.concatenate([c.samples for c in chunks])


@needs_pulse
def test_a_recording_is_captured_sample_for_sample(rig, tmp_path):
    noise = np.random.default_rng(0).integers(1, 8000, 2 * RATE) / 32768
    quiet = np.zeros(RATE)
    path = tmp_path / "noise.wav"
    soundfile.write(path, np.concatenate([quiet, noise]), RATE, subtype="PCM_16")
    opened = open_microphone()
    player = rig.play(path)
    chunks = read_until(opened, lambda got: np.count_nonzero(samples_of(got)) >= len(noise))
    player.wait(30)
    opened.close()
    samples = samples_of(chunks)
    began = np.flatnonzero(samples)[0]
    np.testing.assert_array_equal(samples[began:][: len(noise)], noise.astype(np.float32))
    assert [c.start for c in chunks[1:]] == [c.end for c in chunks[:-1]]
    assert {(c.source, c.sample_rate_hz) for c in chunks} == {("hall", RATE)}
    assert opened.overflows == 0


@needs_pulse
def test_devices_are_listed_by_the_name_for_the_config(rig):
    assert rig.sample_rate_hz == RATE
    (device,) = [d for d in portaudio.list_devices() if d.name == pulse.DEVICE]
    assert device.sample_rate_hz == RATE
    assert device.channels >= 1


@needs_pulse
def test_a_lost_microphone_is_an_error_and_can_be_opened_when_it_is_back(rig):
    opened = open_microphone()
    read_until(opened, lambda got: len(samples_of(got)))
    rig.kill()
    with pytest.raises(SourceError, match=r"microphone 'nr': (the device is gone|no sample for)"):
        read_until(opened, lambda _: False)
    opened.close()
    with pytest.raises(SourceError, match="microphone 'nr': not found; capture devices: "):
        open_microphone()
    rig.restart()
    again = open_microphone()
    read_until(again, lambda got: len(samples_of(got)))
    again.close()


@needs_pulse
def test_a_stalled_microphone_is_lost_and_closes_though_its_server_hangs(rig):
    opened = open_microphone()
    read_until(opened, lambda got: len(samples_of(got)))
    rig.freeze()
    with pytest.raises(SourceError, match="microphone 'nr': no sample for 2 s"):
        read_until(opened, lambda _: False)
    opened.close()
    rig.thaw()
    again = open_microphone()
    read_until(again, lambda got: len(samples_of(got)))
    again.close()


@needs_pulse
def test_a_short_stall_loses_no_sample(rig):
    opened = open_microphone()
    read_until(opened, lambda got: len(samples_of(got)))
    rig.freeze()
    chunks = [read_chunk(opened, 0.48)]
    rig.thaw()
    chunks += [read_chunk(opened, 0.48) for _ in range(6)]
    opened.close()
    assert [c.start for c in chunks[1:]] == [c.end for c in chunks[:-1]]
    assert opened.overflows == 0


@needs_pulse
def test_close_from_another_thread_ends_a_read(rig):
    assert rig.sample_rate_hz == RATE
    opened = open_microphone()
    answers = []
    thread = threading.Thread(target=lambda: answers.append(opened.read(1e6)))
    thread.start()
    opened.close()
    opened.close()
    thread.join(10)
    assert answers == [None]


@needs_pulse
def test_an_unknown_device_lists_the_devices(rig):
    assert rig.sample_rate_hz == RATE
    with pytest.raises(SourceError) as caught:
        open_microphone("cellar")
    assert str(caught.value).startswith("microphone 'cellar': not found; capture devices: ")
    assert "'nr'" in str(caught.value)


def test_without_portaudio_the_line_names_the_packages():
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_PORTAUDIO], capture_output=True, text=True, check=False
    )
    assert (ran.stdout, ran.stderr, ran.returncode) == (
        "a microphone needs the PortAudio library: "
        "apt install libportaudio2 (Debian, Ubuntu) or brew install portaudio (macOS)\n",
        "",
        0,
    )


def test_a_result_in_time_is_returned():
    assert call_within(10.0, lambda: 7, discard=bool) == 7


def test_an_error_of_the_call_is_raised():
    def fail():
        raise SourceError("gone")

    with pytest.raises(SourceError, match="gone"):
        call_within(10.0, fail, discard=bool)


def test_a_late_result_is_discarded():
    allowed, discarded = threading.Event(), threading.Event()

    def call():
        allowed.wait(10)
        return 7

    results = []

    def discard(result):
        results.append(result)
        discarded.set()

    with pytest.raises(TimeoutError):
        call_within(0.01, call, discard)
    allowed.set()
    assert discarded.wait(10)
    assert results == [7]

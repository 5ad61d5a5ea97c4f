"""PortAudio through sounddevice, loaded when first needed: capture devices, streams and their blocks."""

import importlib
import re
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from listener.sources.source import SourceError

MAX_BLOCKS = 1024  # unread; at least 10 s at the usual block sizes
LATENCY_SECONDS = 0.1  # of PortAudio's buffer: fewer and larger blocks than its default
MAX_CHANNELS = 2  # virtual devices offer 32 and more, with nothing else in them
_MISSING = (
    "a microphone needs the PortAudio library: "
    "apt install libportaudio2 (Debian, Ubuntu) or brew install portaudio (macOS)"
)
_VOLATILE = re.compile(r"[\s:-]*\(hw:\d+,\d+\)$")  # ALSA's card numbers change from boot to boot

# One scan or opening at a time, and no scan while a stream is open: it would end the stream.
_lock = threading.Lock()
_open_streams: set[int] = set()


@dataclass(frozen=True, slots=True)
class CaptureDevice:
    """A device that can record, as PortAudio sees it; `index` is valid until the next scan."""

    portaudio_name: str
    index: int
    channels: int
    sample_rate_hz: int  # native
    is_default: bool

    @property
    def name(self) -> str:
        """The name for the config: the same after every boot."""
        return _VOLATILE.sub("", self.portaudio_name)


@dataclass(frozen=True, slots=True)
class Block:
    """PCM float32 (n, channels), its arrival (monotonic seconds), and samples lost before it."""

    pcm: NDArray[np.float32]
    arrived_at: float
    lost: int


class BlockQueue:
    """Filled by PortAudio's callback, which must never wait; emptied by one reader.

    A block that does not fit is dropped and counted; the next one says how many samples were lost.
    """

    def __init__(self) -> None:
        self.overflows = 0
        self.ended = False
        self.last_arrival = time.monotonic()
        self._lost = 0
        self._blocks: deque[Block] = deque()
        self._arrived = threading.Event()

    def put(self, pcm: NDArray[np.float32], frames: int, _time: Any, status: Any) -> None:
        """PortAudio's callback; `pcm` is valid during the call only."""
        self.last_arrival = time.monotonic()
        if status.input_overflow:
            self._lost += 1  # PortAudio does not say how many: one makes the gap visible
            self.overflows += 1
        if len(self._blocks) >= MAX_BLOCKS:
            self.overflows += 1
            self._lost += frames
            return
        self._blocks.append(Block(pcm.copy(), self.last_arrival, self._lost))
        self._lost = 0
        self._arrived.set()

    def end(self) -> None:
        """PortAudio's callback at the end of the stream; from then on the reader does not wait."""
        self.ended = True
        self._arrived.set()

    def wait(self, deadline: float) -> bool:
        """Wait for a block; False if none came before the deadline (monotonic) or the stream ended."""
        if not self._blocks and not self.ended:
            self._arrived.wait(max(0.0, deadline - time.monotonic()))
        return bool(self._blocks)

    def pop_all(self) -> list[Block]:
        """All blocks that have arrived, oldest first."""
        self._arrived.clear()
        if self.ended:
            self._arrived.set()
        return [self._blocks.popleft() for _ in range(len(self._blocks))]


def load() -> Any:
    """The sounddevice module.

    Raises:
        SourceError: it or the PortAudio library is not installed.
    """
    try:
        return importlib.import_module("sounddevice")
    except (ImportError, OSError) as error:  # OSError: the library is not found
        raise SourceError(_MISSING) from error


def list_devices() -> tuple[CaptureDevice, ...]:
    """The capture devices that are connected now.

    Raises:
        SourceError: PortAudio is not installed or fails.
    """
    with _lock:
        return _scan(load())


def find_device(devices: tuple[CaptureDevice, ...], wanted: str | None) -> CaptureDevice:
    """The device of that name, or the only one whose name contains it; None is the default device.

    Raises:
        SourceError: none or several; the line lists them.
    """
    if wanted is None:
        searches = [[device for device in devices if device.is_default]]
    else:
        searches = [
            [device for device in devices if device.portaudio_name == wanted],
            [device for device in devices if device.name == wanted],
            [device for device in devices if wanted.casefold() in device.name.casefold()],
        ]
    for matches in searches:
        if len(matches) == 1:
            return matches[0]
        if matches:
            names = ", ".join(repr(device.portaudio_name) for device in matches)
            raise SourceError(f"microphone {wanted!r}: expected one device, it may be {names}")
    what = "no default capture device" if wanted is None else f"microphone {wanted!r}: not found"
    names = ", ".join(repr(device.name) for device in devices)
    raise SourceError(f"{what}; capture devices: {names or 'none'}")


def open_stream(wanted: str | None, queue: BlockQueue) -> Any:
    """A started `sounddevice.InputStream` that fills the queue.

    Raises:
        SourceError: PortAudio is not installed, no such device, or it cannot be opened.
    """
    portaudio = load()
    with _lock:
        device = find_device(_scan(portaudio), wanted)
        try:
            stream = portaudio.InputStream(
                device=device.index,
                channels=min(device.channels, MAX_CHANNELS),
                samplerate=device.sample_rate_hz,
                dtype="float32",
                latency=LATENCY_SECONDS,
                callback=queue.put,
                finished_callback=queue.end,
            )
            stream.start()
        except portaudio.PortAudioError as error:
            raise SourceError(f"microphone {device.name!r}: cannot be opened: {error}") from error
        _open_streams.add(id(stream))
        return stream


def close_stream(stream: Any) -> None:
    """Close a stream; blocks for as long as its sound server hangs."""
    stream.close(ignore_errors=True)
    with _lock:
        _open_streams.discard(id(stream))


def _scan(portaudio: Any) -> tuple[CaptureDevice, ...]:
    # PortAudio reads the list of devices only when it is initialised. sounddevice has no public way
    # to do that again; its maintainer names this one (python-sounddevice, issue 125).
    if not _open_streams:
        try:
            portaudio._terminate()
            portaudio._initialize()
        except portaudio.PortAudioError as error:
            raise SourceError(f"PortAudio cannot be initialised: {error}") from error
    default = portaudio.default.device[0]
    return tuple(
        CaptureDevice(
            portaudio_name=info["name"],
            index=index,
            channels=info["max_input_channels"],
            sample_rate_hz=round(info["default_samplerate"]),
            is_default=index == default,
        )
        for index, info in enumerate(portaudio.query_devices())
        if info["max_input_channels"] > 0
    )

"""PortAudio through sounddevice: loaded when first needed, its devices and streams."""

from __future__ import annotations

import importlib
import threading
from typing import Any

from listener.sources.devices import CaptureDevice, find_device
from listener.sources.inbox import Inbox
from listener.sources.source import SourceError

LATENCY_SECONDS = 0.1  # of PortAudio's buffer: fewer and larger blocks than its default
MAX_CHANNELS = 2  # virtual devices offer 32 and more, which hold nothing else

_MISSING = (
    "a microphone needs the PortAudio library: "
    "apt install libportaudio2 (Debian, Ubuntu) or brew install portaudio (macOS)"
)
# One scan or opening at a time, and no scan that would end an open stream.
_lock = threading.Lock()
_open_streams: set[int] = set()


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
    """The capture devices there are now.

    Raises:
        SourceError: PortAudio is not installed or fails.
    """
    with _lock:
        return _scan(load())


def open_stream(wanted: str | None, inbox: Inbox) -> Any:
    """A started `sounddevice.InputStream` that fills the inbox.

    Raises:
        SourceError: PortAudio is not installed, no such device, or it cannot be opened.
    """
    portaudio = load()
    with _lock:
        device = find_device(_scan(portaudio), wanted)
        try:
            stream = _start(portaudio, device, inbox)
        except portaudio.PortAudioError as error:
            raise SourceError(f"microphone {device.name!r}: cannot be opened: {error}") from error
        _open_streams.add(id(stream))
        return stream


def _start(portaudio: Any, device: CaptureDevice, inbox: Inbox) -> Any:
    stream = portaudio.InputStream(
        device=device.index,
        channels=min(device.channels, MAX_CHANNELS),
        samplerate=device.sample_rate_hz,
        dtype="float32",
        latency=LATENCY_SECONDS,
        callback=inbox.put,
        finished_callback=inbox.end,
    )
    stream.start()
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
        _device(index, info, is_default=index == default)
        for index, info in enumerate(portaudio.query_devices())
        if info["max_input_channels"] > 0
    )


def _device(index: int, info: dict[str, Any], *, is_default: bool) -> CaptureDevice:
    return CaptureDevice(
        portaudio_name=info["name"],
        index=index,
        channels=info["max_input_channels"],
        sample_rate_hz=round(info["default_samplerate"]),
        is_default=is_default,
    )

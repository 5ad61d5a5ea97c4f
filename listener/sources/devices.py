"""Capture devices and their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from listener.sources.source import SourceError

_VOLATILE = re.compile(r"[\s:-]*\(hw:\d+,\d+\)$")  # ALSA's card numbers change from boot to boot


@dataclass(frozen=True, slots=True)
class CaptureDevice:
    """A device that can record, as PortAudio sees it.

    `index` is valid until the next scan. Virtual devices offer many more channels than they hold.
    """

    portaudio_name: str
    index: int
    channels: int
    sample_rate_hz: int  # native
    is_default: bool

    @property
    def name(self) -> str:
        """What to put in the config: the same after every boot."""
        return _VOLATILE.sub("", self.portaudio_name)


def find_device(devices: tuple[CaptureDevice, ...], wanted: str | None) -> CaptureDevice:
    """The device of that name, or the only one whose name holds it; None is the default device.

    Raises:
        SourceError: none or several; the line lists what there is.
    """
    for matches in _searches(devices, wanted):
        if len(matches) == 1:
            return matches[0]
        if matches:
            names = _quoted(device.portaudio_name for device in matches)
            raise SourceError(f"microphone {wanted!r}: expected one device, it may be {names}")
    asked = "no default capture device" if wanted is None else f"microphone {wanted!r}: not found"
    raise SourceError(f"{asked}; capture devices: {_quoted(d.name for d in devices) or 'none'}")


def _searches(
    devices: tuple[CaptureDevice, ...], wanted: str | None
) -> Iterator[list[CaptureDevice]]:
    """From the strictest to the most lenient."""
    if wanted is None:
        yield [device for device in devices if device.is_default]
        return
    yield [device for device in devices if device.portaudio_name == wanted]
    yield [device for device in devices if device.name == wanted]
    yield [device for device in devices if wanted.casefold() in device.name.casefold()]


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)

"""Capture devices by stable names, and the queue between PortAudio's thread and the reader."""

import time
from types import SimpleNamespace

import numpy as np
import pytest

from listener.sources.portaudio import MAX_BLOCKS, BlockQueue, CaptureDevice, find_device
from listener.sources.source import SourceError

OK = SimpleNamespace(input_overflow=False)
OVERFLOW = SimpleNamespace(input_overflow=True)


def device(name: str, index: int = 0, *, is_default: bool = False) -> CaptureDevice:
    return CaptureDevice(name, index, 1, 48_000, is_default)


DEVICES = (
    device("HDA Intel PCH: ALC257 Analog (hw:0,0)", 0),
    device("USB PnP Sound Device: Audio (hw:1,0)", 1),
    device("USB PnP Sound Device: Audio (hw:2,0)", 2),
    device("bcm2835 ALSA: - (hw:3,0)", 3),
    device("pulse", 4),
    device("pulse monitor", 5, is_default=True),
)


def test_the_stable_name_has_no_card_number():
    assert [d.name for d in DEVICES] == [
        "HDA Intel PCH: ALC257 Analog",
        "USB PnP Sound Device: Audio",
        "USB PnP Sound Device: Audio",
        "bcm2835 ALSA",
        "pulse",
        "pulse monitor",
    ]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (None, 5),
        ("HDA Intel PCH: ALC257 Analog", 0),
        ("alc257", 0),
        ("pulse", 4),  # the exact name, though another contains it
        ("USB PnP Sound Device: Audio (hw:2,0)", 2),
    ],
)
def test_a_device_is_found_by_its_name_or_part_of_it(wanted, index):
    assert find_device(DEVICES, wanted).index == index


def test_an_ambiguous_name_lists_the_matches():
    with pytest.raises(SourceError) as caught:
        find_device(DEVICES, "usb")
    assert str(caught.value) == (
        "microphone 'usb': expected one device, it may be "
        "'USB PnP Sound Device: Audio (hw:1,0)', 'USB PnP Sound Device: Audio (hw:2,0)'"
    )


def test_an_unknown_name_lists_the_devices():
    with pytest.raises(SourceError) as caught:
        find_device(DEVICES[3:5], "cellar")
    assert str(caught.value) == (
        "microphone 'cellar': not found; capture devices: 'bcm2835 ALSA', 'pulse'"
    )


def test_no_default_device_is_one_line():
    with pytest.raises(SourceError, match="no default capture device; capture devices: none"):
        find_device((), None)


def put(queue: BlockQueue, value: float = 0.0, status: SimpleNamespace = OK) -> None:
    queue.put(np.full((4, 1), value, np.float32), 4, None, status)


def test_blocks_come_out_in_order_and_are_copies():
    queue, pcm = BlockQueue(), np.zeros((4, 1), np.float32)
    queue.put(pcm, 4, None, OK)
    pcm[:] = 1.0
    put(queue, 2.0)
    assert [block.pcm[0, 0] for block in queue.pop_all()] == [0.0, 2.0]
    assert queue.pop_all() == []


def test_an_overflow_of_the_device_is_counted_and_makes_a_gap():
    queue = BlockQueue()
    put(queue)
    put(queue, status=OVERFLOW)
    assert [block.lost for block in queue.pop_all()] == [0, 1]
    assert queue.overflows == 1


def test_samples_that_do_not_fit_are_counted_and_lost_before_the_next_block():
    queue = BlockQueue()
    for _ in range(MAX_BLOCKS + 3):
        put(queue)
    assert sum(block.lost for block in queue.pop_all()) == 0
    put(queue)
    assert [block.lost for block in queue.pop_all()] == [3 * 4]
    assert queue.overflows == 3


def test_waiting_ends_with_a_block_with_the_deadline_and_with_the_end():
    queue = BlockQueue()
    assert not queue.wait(time.monotonic() + 0.01)
    put(queue)
    assert queue.wait(time.monotonic() + 60)
    queue.pop_all()
    queue.end()
    assert not queue.wait(time.monotonic() + 60)
    queue.pop_all()
    assert not queue.wait(time.monotonic() + 60)

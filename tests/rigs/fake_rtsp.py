"""A small RTSP server that breaks on demand: mono PCMU at 8 kHz, RTP interleaved over TCP."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

_PACKET_SAMPLES = 160  # 20 ms
_SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=rig\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m={media} 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=control:track\r\n"
)


@dataclass(frozen=True)
class Faults:
    """What goes wrong; times are seconds of audio sent before.

    `refuse`: 401 to DESCRIBE. `mute`: no answer at all. `garbage`: noise instead of RTSP answers.
    `media`: another kind than audio. `stall_after`: silence on an open connection. `cut_after`: the
    connection is closed. `noise_after`: bytes that are neither RTSP nor RTP.
    """

    refuse: bool = False
    mute: bool = False
    garbage: bool = False
    media: str = "audio"
    stall_after: float | None = None
    cut_after: float | None = None
    noise_after: float | None = None


class _Session:
    """One client."""

    def __init__(
        self, connection: socket.socket, faults: Faults, stopping: threading.Event
    ) -> None:
        self._connection, self._faults, self._stopping = connection, faults, stopping

    def serve(self) -> None:
        with self._connection, suppress(OSError):
            for request in self._requests():
                self._answer(request)
                if request.startswith("PLAY"):
                    self._send_audio()
                    return

    def _requests(self) -> Iterator[str]:
        received = b""
        while more := self._connection.recv(4096):
            received += more
            while b"\r\n\r\n" in received:
                request, _, received = received.partition(b"\r\n\r\n")
                yield request.decode("ascii", "replace")

    def _answer(self, request: str) -> None:
        if self._faults.mute:
            self._stopping.wait()
        if self._faults.garbage:
            self._connection.sendall(bytes(range(256)) * 16)
            return
        method = request.partition(" ")[0]
        sequence = request.lower().partition("cseq:")[2].split()[0]
        self._connection.sendall(self._response(method, sequence).encode())

    def _response(self, method: str, sequence: str) -> str:
        if method == "DESCRIBE" and self._faults.refuse:
            return (
                f"RTSP/1.0 401 Unauthorized\r\nCSeq: {sequence}\r\n"
                'WWW-Authenticate: Basic realm="rig"\r\n\r\n'
            )
        body = _SDP.format(media=self._faults.media) if method == "DESCRIBE" else ""
        headers = {
            "OPTIONS": "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN",
            "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Length: {len(body)}",
            "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1",
        }.get(method, "Session: 1")
        return f"RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\n{headers}\r\n\r\n{body}"

    def _send_audio(self) -> None:
        began = time.monotonic()
        for number in range(1_000_000):
            seconds = number * _PACKET_SAMPLES / 8000
            if self._stopping.wait(max(0.0, began + seconds - time.monotonic())):
                return
            if self._is_over(seconds):
                return
            self._connection.sendall(_interleaved(number))

    def _is_over(self, seconds: float) -> bool:
        faults = self._faults
        if faults.stall_after is not None and seconds >= faults.stall_after:
            self._stopping.wait()
        if faults.noise_after is not None and seconds >= faults.noise_after:
            self._connection.sendall(bytes(range(1, 33)) * 32)
            self._stopping.wait()
        return faults.cut_after is not None and seconds >= faults.cut_after


def _interleaved(number: int) -> bytes:
    """An RTP packet of silence (RFC 3550), framed for TCP (RFC 2326, 10.12)."""
    header = struct.pack(">BBHII", 0x80, 0, number & 0xFFFF, number * _PACKET_SAMPLES, 1)
    packet = header + b"\xff" * _PACKET_SAMPLES  # 0xFF is 0 in mu-law
    return b"$\x00" + struct.pack(">H", len(packet)) + packet


@contextmanager
def fake_rtsp_server(faults: Faults = Faults()) -> Iterator[str]:
    """Serves any path on a free port; gives "127.0.0.1:PORT"."""
    stopping = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            with suppress(OSError):  # closed at the end
                while True:
                    session = _Session(listening.accept()[0], faults, stopping)
                    threading.Thread(target=session.serve, daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            stopping.set()
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)

"""A real RTSP server, GStreamer's. Run by Debian's own Python, which has its bindings.

    python3 rtsp_server.py WAV CODEC [USER:PASSWORD]

Loops the 16-bit WAV file at rtsp://127.0.0.1:PORT/audio, as L16, PCMA or OPUS; prints PORT when ready.
"""

from __future__ import annotations

import sys
import wave
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - after require_version

PAYLOADS = {
    "L16": "audioconvert ! rtpL16pay name=pay0 pt=96",
    "PCMA": "audioconvert ! audioresample ! audio/x-raw,rate=8000,channels=1 ! alawenc ! "
    "rtppcmapay name=pay0 pt=8",
    "OPUS": "audioconvert ! audioresample ! opusenc ! rtpopuspay name=pay0 pt=96",
}
BLOCK_SECONDS = 0.02


class Loop:
    """The samples of a WAV file, for ever, in blocks with their time."""

    def __init__(self, path: str) -> None:
        with wave.open(path, "rb") as audio:
            self.rate, self.channels = audio.getframerate(), audio.getnchannels()
            self._frame_bytes = 2 * self.channels
            self._pcm = audio.readframes(audio.getnframes())

    def caps(self) -> str:
        return (
            f"audio/x-raw,format=S16LE,layout=interleaved,rate={self.rate},channels={self.channels}"
        )

    def block(self, number: int) -> Any:
        size = round(BLOCK_SECONDS * self.rate) * self._frame_bytes
        at = number * size % len(self._pcm)
        pcm = self._pcm[at : at + size]
        while len(pcm) < size:
            pcm += self._pcm[: size - len(pcm)]
        buffer = Gst.Buffer.new_wrapped(pcm)
        buffer.pts = round(number * BLOCK_SECONDS * Gst.SECOND)
        buffer.duration = round(BLOCK_SECONDS * Gst.SECOND)
        return buffer


class Factory(GstRtspServer.RTSPMediaFactory):  # type: ignore[misc]  # gi has no types
    """Each client hears the loop from its beginning."""

    def __init__(self, loop: Loop, codec: str) -> None:
        super().__init__()
        self._loop, self._codec = loop, codec

    def do_create_element(self, _url: Any) -> Any:
        source = f"appsrc name=pcm is-live=true format=time caps={self._loop.caps()}"
        return Gst.parse_launch(f"( {source} ! {PAYLOADS[self._codec]} )")

    def do_configure(self, media: Any) -> None:
        numbers = iter(range(10**9))
        source = media.get_element().get_by_name_recurse_up("pcm")
        source.connect(
            "need-data",
            lambda src, _size: src.emit("push-buffer", self._loop.block(next(numbers))),
        )


def protect(server: Any, factory: Any, login: str) -> None:
    """Ask for a user and a password."""
    user, _, password = login.partition(":")
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "listener")
    auth = GstRtspServer.RTSPAuth()
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("listener", "media.factory.access", True)
    permissions.add_permission_for_role("listener", "media.factory.construct", True)
    factory.set_permissions(permissions)


def main(path: str, codec: str, login: str = "") -> None:
    """Serve until killed."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    factory = Factory(Loop(path), codec)
    if login:
        protect(server, factory, login)
    server.get_mount_points().add_factory("/audio", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)  # noqa: T201 - the parent reads it
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(*sys.argv[1:])

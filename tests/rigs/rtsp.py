"""Starts the real RTSP server beside a test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

_PYTHON = "/usr/bin/python3"  # the system's, for which Debian packages the bindings
_SCRIPT = Path(__file__).with_name("rtsp_server.py")
_PROBE = (
    "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
)


@cache
def missing() -> str | None:
    """Why there can be no RTSP server here, or None when there can."""
    if not Path(_PYTHON).exists():
        return f"{_PYTHON} is not there"
    probe = subprocess.run([_PYTHON, "-c", _PROBE], capture_output=True, text=True, check=False)
    if probe.returncode == 0:
        return None
    return "GStreamer's RTSP server is not installed (python3-gi, gir1.2-gst-rtsp-server-1.0)"


@contextmanager
def rtsp_server(wav: Path, codec: str = "L16", login: str | None = None) -> Iterator[str]:
    """Loops a 16-bit WAV file as L16, PCMA or OPUS; gives "127.0.0.1:PORT/audio".

    `login` is the "user:password" that it asks for.
    """
    command = [_PYTHON, str(_SCRIPT), str(wav), codec, *([login] if login else [])]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        yield f"127.0.0.1:{int(server.stdout.readline())}/audio"
    finally:
        server.kill()
        server.wait()
        server.stdout.close()

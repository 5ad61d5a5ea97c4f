"""What every source gives."""

from __future__ import annotations

from typing import Protocol

from listener.detection.audio import AudioChunk

IDLE_SECONDS = 1.0  # the longest that `read` keeps its caller from looking at a stop flag


class SourceError(Exception):
    """The source cannot be opened or was lost: one line, what was expected and what came."""


class AudioSource(Protocol):
    """One open microphone, stream or file, read by one thread.

    A source is built by opening it (SourceError if that fails) and is never opened again: after a
    loss a new one is made.
    """

    def read(self, seconds: float) -> AudioChunk | None:
        """About the next `seconds` of audio at the native rate, or None at the end.

        Blocks until so much has come, but hands over what there is (perhaps nothing) after
        IDLE_SECONDS. Raises SourceError when the source is lost.
        """

    def close(self) -> None:
        """Let go of the device, connection or file; harmless when done twice."""

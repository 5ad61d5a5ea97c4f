"""Reading a source in a test."""

from __future__ import annotations

from listener.detection.audio import AudioChunk
from listener.sources.source import AudioSource


def read_chunk(source: AudioSource, seconds: float) -> AudioChunk:
    """The next chunk of a source that has not ended."""
    chunk = source.read(seconds)
    assert chunk is not None
    return chunk


def read_all(source: AudioSource, seconds: float = 0.48) -> list[AudioChunk]:
    """All chunks up to the end."""
    chunks = []
    while (chunk := source.read(seconds)) is not None:
        chunks.append(chunk)
    return chunks

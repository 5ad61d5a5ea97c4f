"""ClipRecord: stored audio (FLAC) and its JSON sidecar, read and write."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

import soundfile
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from listener.detection.audio import Samples
from listener.detection.event import SoundEvent

_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")  # a ULID


class ClipError(Exception):
    """A clip or its sidecar cannot be used; one line that says what was expected and what came."""


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class LabelSpan:
    """A label from onset to offset, seconds in the clip."""

    label: str
    onset: float
    offset: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.onset < self.offset:
            raise ValueError(f"span: expected 0 <= onset < offset, got {self.onset}, {self.offset}")


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class ClipRecord:
    """What is known of one clip. `path` is its FLAC file, `captured_at` unix seconds of its start."""

    id: str
    path: Path
    source: str
    captured_at: float
    seconds: float
    reason: Literal["event", "near_miss", "ambient", "missed"]
    event: SoundEvent | None = None
    labels: tuple[LabelSpan, ...] = ()
    verdict: Literal["right", "wrong", "labels"] | None = None

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):  # it becomes a file name
            raise ValueError(f"clip id: expected a ULID, got {self.id!r}")


_RECORD = TypeAdapter(ClipRecord)


def sidecar_path(audio: Path) -> Path:
    """The sidecar beside a clip's audio."""
    return audio.with_suffix(".json")


def write_clip(record: ClipRecord, samples: Samples, sample_rate_hz: int) -> None:
    """Store audio, float32 (n,), then sidecar; a clip without a sidecar was never finished."""
    partial = record.path.with_suffix(".partial")
    soundfile.write(partial, samples, sample_rate_hz, format="FLAC", subtype="PCM_16")
    _put_in_place(partial, record.path)
    write_sidecar(record)


def write_sidecar(record: ClipRecord) -> None:
    """Store the sidecar, whole or not at all, in place of an older one."""
    path = sidecar_path(record.path)
    partial = path.with_suffix(".json.partial")
    partial.write_bytes(_RECORD.dump_json(record, exclude={"path"}, indent=1) + b"\n")
    _put_in_place(partial, path)


def _put_in_place(partial: Path, path: Path) -> None:
    with partial.open("rb") as handle:
        os.fsync(handle.fileno())
    partial.replace(path)


def read_sidecar(path: Path) -> ClipRecord:
    """The record in a sidecar.

    Raises:
        ClipError: unreadable, or not a ClipRecord.
    """
    try:
        document = TypeAdapter(dict[str, object]).validate_json(path.read_bytes())
        return _RECORD.validate_python(document | {"path": path.with_suffix(".flac")})
    except OSError as error:
        raise ClipError(f"{path}: cannot read the sidecar: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "sidecar"
        raise ClipError(f"{path}: {where}: {first['msg']}") from error


def read_audio(record: ClipRecord) -> tuple[Samples, int]:
    """The samples, float32 (n,), and their rate in Hz.

    Raises:
        ClipError: unreadable, or not audio.
    """
    try:
        samples, sample_rate_hz = soundfile.read(record.path, dtype="float32")
    except (OSError, soundfile.SoundFileError) as error:
        raise ClipError(f"{record.path}: expected FLAC audio: {error}") from error
    return samples, int(sample_rate_hz)

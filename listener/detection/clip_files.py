"""The files of a clip: FLAC audio, scores and embeddings, and the JSON sidecar, written last.

A clip without a sidecar was never finished. Files are for their owner alone (0600).
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import soundfile
from pydantic import TypeAdapter, ValidationError

from listener.detection.audio import LOWEST_RATE_HZ, Samples
from listener.detection.clip import ClipAnalysis, ClipError, ClipRecord, analysis_bytes

AUDIO_SUFFIX, ANALYSIS_SUFFIX, SIDECAR_SUFFIX = ".flac", ".npz", ".json"
PARTIAL_SUFFIX = ".partial"
# A clip may come from elsewhere, and a few kilobytes of FLAC can claim days.
MAX_CLIP_SECONDS = 600.0
MAX_CLIP_SAMPLES = 28_800_000  # of that time at 48 kHz
MAX_SIDECAR_BYTES = 1024 * 1024

_RECORD = TypeAdapter(ClipRecord)
_DOCUMENT = TypeAdapter(dict[str, Any])


def sidecar_path(audio: Path) -> Path:
    """The sidecar beside a clip's audio."""
    return audio.with_suffix(SIDECAR_SUFFIX)


def analysis_path(audio: Path) -> Path:
    """The scores and embeddings beside a clip's audio."""
    return audio.with_suffix(ANALYSIS_SUFFIX)


def write_clip(
    record: ClipRecord, samples: Samples, sample_rate_hz: int, analysis: ClipAnalysis
) -> None:
    """Store a clip, whole or not at all; `samples` float32 (n,) become 16-bit FLAC.

    Raises:
        OSError: the disk is full, or cannot be written.
    """
    # encoded in memory: an error of the disk inside libsndfile's callbacks would be lost
    audio = io.BytesIO()
    soundfile.write(audio, samples, sample_rate_hz, format="FLAC", subtype="PCM_16")
    _put_in_place(record.path, audio.getvalue())
    _put_in_place(analysis_path(record.path), analysis_bytes(analysis))
    sync_directory(record.path.parent)  # the sidecar's name must not outlive theirs
    write_sidecar(record)


def write_sidecar(record: ClipRecord) -> None:
    """Store the sidecar, whole or not at all, in place of an older one.

    Raises:
        OSError: the disk is full, or cannot be written.
    """
    _put_in_place(sidecar_path(record.path), record_bytes(record))
    sync_directory(record.path.parent)


def record_bytes(record: ClipRecord) -> bytes:
    """The content of the sidecar."""
    return _RECORD.dump_json(record, exclude={"path"}, indent=1) + b"\n"


def remove_clip(audio: Path) -> None:
    """Remove the files of a clip, the sidecar first, so that a half-removed clip is an unfinished one."""
    for path in (sidecar_path(audio), audio, analysis_path(audio)):
        path.unlink(missing_ok=True)
        _partial_path(path).unlink(missing_ok=True)


def clip_bytes(audio: Path) -> int:
    """How much disk a clip takes; its files that are not there count nothing."""
    paths = (audio, analysis_path(audio), sidecar_path(audio))
    return sum(path.stat().st_size for path in paths if path.exists())


def read_sidecar(path: Path) -> ClipRecord:
    """The record in a sidecar.

    Raises:
        ClipError: unreadable, or not a ClipRecord.
    """
    try:
        return parse_record(_read_sidecar(path), path.with_suffix(AUDIO_SUFFIX))
    except OSError as error:
        raise ClipError(f"{path}: cannot read the sidecar: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "sidecar"
        raise ClipError(f"{path}: {where}: {first['msg']}") from error


def _read_sidecar(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_SIDECAR_BYTES + 1)
    if len(content) > MAX_SIDECAR_BYTES:
        raise ClipError(f"{path}: expected at most {MAX_SIDECAR_BYTES} bytes, it has more")
    return content


def parse_record(content: bytes, audio: Path) -> ClipRecord:
    """The record in a sidecar's content; the file says nothing about where it lies.

    Raises:
        ValidationError: it is none.
    """
    document = _with_verdicts(_DOCUMENT.validate_json(content))
    return _RECORD.validate_python(document | {"path": audio})


def _with_verdicts(document: dict[str, Any]) -> dict[str, Any]:
    """The first form of a sidecar had one verdict, without who and when, and its labels in the clip's."""
    if "verdict" not in document:
        return document
    rest = {key: value for key, value in document.items() if key != "verdict"}
    value = document["verdict"]
    if value is None:
        return rest
    labels = document.get("labels", []) if value == "labels" else []
    verdict = {"value": value, "labels": labels, "who": "unknown", "at": 0.0}
    return rest | {"verdicts": [verdict]}


def read_audio(record: ClipRecord) -> tuple[Samples, int]:
    """The samples, float32 (n,), and their rate in Hz.

    Raises:
        ClipError: unreadable, not audio, or more than a clip can be.
    """
    try:
        with soundfile.SoundFile(record.path) as file:
            _check_size(record.path, file)
            return file.read(dtype="float32"), int(file.samplerate)
    except (OSError, soundfile.SoundFileError) as error:
        raise ClipError(f"{record.path}: expected FLAC audio: {error}") from error


def _check_size(path: Path, file: soundfile.SoundFile) -> None:
    rate: int = file.samplerate
    most = min(round(MAX_CLIP_SECONDS * rate), MAX_CLIP_SAMPLES)
    if file.channels != 1 or not rate >= LOWEST_RATE_HZ or not 0 < file.frames <= most:
        raise ClipError(
            f"{path}: expected one channel of at least {LOWEST_RATE_HZ} Hz and up to {most} samples, "
            f"got {file.channels} of {rate} Hz and {file.frames}"
        )


def _put_in_place(path: Path, content: bytes) -> None:
    partial = _partial_path(path)
    with open(partial, "wb", opener=_private) as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    partial.replace(path)


def _partial_path(path: Path) -> Path:
    return path.with_name(path.name + PARTIAL_SUFFIX)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def sync_directory(directory: Path) -> None:
    """Make the names in it durable (fsync(2))."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""The files of a clip: FLAC audio, scores and embeddings, and the JSON sidecar, written last.

A clip without a sidecar was never finished. Only the files' owner may read them (0600).
"""

import io
from pathlib import Path
from typing import Any

import soundfile
from pydantic import TypeAdapter, ValidationError

from listener.detection.audio import LOWEST_RATE_HZ, Samples
from listener.detection.clip import ClipAnalysis, ClipError, ClipRecord, analysis_bytes
from listener.files import PARTIAL_SUFFIX, replace_file, sync_directory
from listener.validation import first_problem

AUDIO_SUFFIX, ANALYSIS_SUFFIX, SIDECAR_SUFFIX = ".flac", ".npz", ".json"
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
    # encoded in memory: a disk error inside libsndfile's callbacks would be lost
    audio = io.BytesIO()
    soundfile.write(audio, samples, sample_rate_hz, format="FLAC", subtype="PCM_16")
    replace_file(record.path, audio.getvalue())
    replace_file(analysis_path(record.path), analysis_bytes(analysis))
    sync_directory(record.path.parent)  # the sidecar's name must not outlive theirs
    write_sidecar(record)


def write_sidecar(record: ClipRecord) -> None:
    """Store the sidecar, whole or not at all, in place of an older one.

    Raises:
        OSError: the disk is full, or cannot be written.
    """
    replace_file(sidecar_path(record.path), record_bytes(record))
    sync_directory(record.path.parent)


def record_bytes(record: ClipRecord) -> bytes:
    """The content of the sidecar."""
    return _RECORD.dump_json(record, exclude={"path"}, indent=1) + b"\n"


def remove_clip(audio: Path) -> None:
    """Remove the files of a clip, the sidecar first, so that a half-removed clip is an unfinished one."""
    for path in (sidecar_path(audio), audio, analysis_path(audio)):
        path.unlink(missing_ok=True)
        path.with_name(path.name + PARTIAL_SUFFIX).unlink(missing_ok=True)


def clip_bytes(audio: Path) -> int:
    """How much disk a clip takes; files that are missing count nothing."""
    paths = (audio, analysis_path(audio), sidecar_path(audio))
    return sum(path.stat().st_size for path in paths if path.exists())


def read_sidecar(path: Path) -> ClipRecord:
    """The record in a sidecar.

    Raises:
        ClipError: unreadable, or not a ClipRecord.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SIDECAR_BYTES + 1)
    except OSError as error:
        raise ClipError(f"{path}: cannot read the sidecar: {error.strerror}") from error
    if len(content) > MAX_SIDECAR_BYTES:
        raise ClipError(f"{path}: expected at most {MAX_SIDECAR_BYTES} bytes, it has more")
    try:
        return parse_record(content, path.with_suffix(AUDIO_SUFFIX))
    except ValidationError as error:
        raise ClipError(f"{path}: {first_problem(error)}") from error


def parse_record(content: bytes, audio: Path) -> ClipRecord:
    """The record in a sidecar's content; `audio` is its FLAC file, which the sidecar does not name.

    Raises:
        ValidationError: it is not a ClipRecord.
    """
    document = _with_verdicts(_DOCUMENT.validate_json(content))
    return _RECORD.validate_python(document | {"path": audio})


def _with_verdicts(document: dict[str, Any]) -> dict[str, Any]:
    """A sidecar of the first form as one of today's.

    It has one verdict, without who and when; the verdict's labels stand in those of the clip.
    """
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
            rate_hz = int(file.samplerate)
            most = min(round(MAX_CLIP_SECONDS * rate_hz), MAX_CLIP_SAMPLES)
            if file.channels == 1 and rate_hz >= LOWEST_RATE_HZ and 0 < file.frames <= most:
                return file.read(dtype="float32"), rate_hz
            found = f"{file.channels} of {rate_hz} Hz and {file.frames}"
    except (OSError, soundfile.SoundFileError) as error:
        raise ClipError(f"{record.path}: expected FLAC audio: {error}") from error
    raise ClipError(
        f"{record.path}: expected one channel of at least {LOWEST_RATE_HZ} Hz and up to {most} samples, "
        f"got {found}"
    )

"""What is known of a clip: its record, the verdicts of people, and the model's scores in it."""

import dataclasses
import io
import re
import zipfile
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from listener.detection.audio import Samples
from listener.detection.bundle import ARCHIVE_ERRORS
from listener.detection.event import SoundEvent

MAX_ANALYSIS_BYTES = 64 * 1024 * 1024  # ten minutes of YAMNet take 4 MB

_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")  # a ULID
_VALUE = ConfigDict(extra="forbid", allow_inf_nan=False)  # JSON has no infinity, and SQLite no NaN
# numpy allocates the shape that an array's header claims before it reads a value, so that a false one is
# a MemoryError.
_UNREADABLE = (*ARCHIVE_ERRORS, MemoryError)

HalfScores = NDArray[np.float16]
UnixSeconds = Annotated[float, Field(ge=0, lt=253_402_300_800)]  # to the year 9999, where dates end
Reason = Literal["event", "near_miss", "ambient", "missed"]
VerdictValue = Literal["right", "wrong", "labels"]
Who = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,64}$")]


class ClipError(Exception):
    """A clip or its files cannot be used; one line that says what was expected and what came."""


class UnknownClipError(ClipError):
    """There is no clip of that id."""


@dataclass(frozen=True, slots=True, config=_VALUE)
class LabelSpan:
    """A label from onset to offset, seconds in the clip."""

    label: str
    onset: float
    offset: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.onset < self.offset:
            raise ValueError(f"span: expected 0 <= onset < offset, got {self.onset}, {self.offset}")


@dataclass(frozen=True, slots=True, config=_VALUE)
class LabelScore:
    """The highest score of a label in a clip, [0, 1]."""

    label: str
    score: float


@dataclass(frozen=True, slots=True, config=_VALUE)
class GroupMembers:
    """A group of the station, and its members: labels of the bundle, at least one, the likeliest first.

    Likeliest is the one with the highest score: within the clip's span if the clip stands for this group,
    else in the whole clip.
    """

    label: str
    members: Annotated[tuple[str, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True, config=_VALUE)
class Verdict:
    """What a person said of a clip, and when (unix seconds).

    `right`: the clip holds `ClipRecord.labels`. `wrong`: it does not. `labels`: it holds these and no
    others; without any, it holds nothing that the station detects.
    """

    value: VerdictValue
    who: Who
    at: UnixSeconds
    labels: tuple[LabelSpan, ...] = ()

    def __post_init__(self) -> None:
        if self.labels and self.value != "labels":
            raise ValueError(f"verdict {self.value}: expected no labels, got {len(self.labels)}")


@dataclass(frozen=True, slots=True, config=_VALUE)
class ClipRecord:
    """What is known of one clip; its sidecar's content.

    `path` is its FLAC file, `captured_at` the unix time of its start. `labels` is what the clip stands
    for: the event's label, or the label that nearly made an event; empty for ambient and missed clips.
    `score` is the highest of that label, smoothed for a near miss, and `on_threshold` what makes an event.
    `top` has the labels with the highest scores, highest first, and `groups` the members of each group,
    none in a clip without scores. An event that went on after the clip has no offset. `verdicts` are all
    that were given, in order; the last one counts.
    """

    id: str
    path: Path
    source: str
    captured_at: UnixSeconds
    seconds: Annotated[float, Field(ge=0)]
    reason: Reason
    event: SoundEvent | None = None
    labels: tuple[LabelSpan, ...] = ()
    bundle: str = ""
    score: float | None = None
    on_threshold: float | None = None
    top: tuple[LabelScore, ...] = ()
    groups: tuple[GroupMembers, ...] = ()
    verdicts: tuple[Verdict, ...] = ()

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):  # it becomes a file name
            raise ValueError(f"clip id: expected a ULID, got {self.id!r}")

    @property
    def label(self) -> str | None:
        """The label that the clip stands for, if any."""
        return self.labels[0].label if self.labels else None

    def members_of(self, label: str) -> tuple[str, ...]:
        """The members of a group, the likeliest first; for any other label the label itself."""
        found = (group.members for group in self.groups if group.label == label)
        return next(found, (label,))

    @property
    def verdict(self) -> Verdict | None:
        """The latest verdict."""
        return self.verdicts[-1] if self.verdicts else None

    @property
    def heard(self) -> tuple[LabelSpan, ...] | None:
        """What is in the clip by its verdict; None without one."""
        if self.verdict is None:
            return None
        said = {"right": self.labels, "wrong": (), "labels": self.verdict.labels}
        return said[self.verdict.value]


def is_clip_id(text: str) -> bool:
    """Whether it has the form of a ULID."""
    return _ID.fullmatch(text) is not None


def with_verdict(record: ClipRecord, verdict: Verdict) -> ClipRecord:
    """The record with one more verdict.

    Raises:
        ClipError: a span that is not inside the clip, or `wrong` of a clip that stands for no label.
    """
    if verdict.value == "wrong" and not record.labels:
        raise ClipError(f"clip {record.id}: expected the labels that it holds, got wrong")
    for span in verdict.labels:
        if not span.offset <= record.seconds:
            raise ClipError(
                f"clip {record.id}: {span.label}: expected an offset up to {record.seconds:g} s, "
                f"got {span.offset:g}"
            )
    return dataclasses.replace(record, verdicts=(*record.verdicts, verdict))


@dataclasses.dataclass(frozen=True, slots=True)
class ClipAnalysis:
    """What the model made of a clip.

    `scores` is float16 (T, K) in [0, 1] with `labels` as columns, `embeddings` float16 (T, D),
    `boundaries` float64 (T + 1,): the edges of the slots, seconds in the clip.

    Raises:
        ValueError: shapes that do not belong together.
    """

    labels: tuple[str, ...]
    boundaries: NDArray[np.float64]
    scores: HalfScores
    embeddings: NDArray[np.float16]

    def __post_init__(self) -> None:
        slots, wanted = len(self.scores), (len(self.scores), len(self.labels))
        if self.scores.shape != wanted:
            raise ValueError(f"scores: expected shape {wanted}, got {self.scores.shape}")
        if self.boundaries.shape != (slots + 1,):
            raise ValueError(
                f"boundaries: expected shape {(slots + 1,)}, got {self.boundaries.shape}"
            )
        if self.embeddings.ndim != 2 or len(self.embeddings) != slots:  # noqa: PLR2004 - a table
            raise ValueError(
                f"embeddings: expected shape ({slots}, any), got {self.embeddings.shape}"
            )

    @property
    def mean_embedding(self) -> NDArray[np.float32] | None:
        """float32 (D,); None where there is no slot or no embedding."""
        if not self.embeddings.size:
            return None
        mean: NDArray[np.float32] = self.embeddings.mean(axis=0, dtype=np.float32)
        return mean


def analysis_bytes(analysis: ClipAnalysis) -> bytes:
    """The content of an .npz file."""
    content = io.BytesIO()
    np.savez(
        content,
        labels=np.array(analysis.labels, np.str_),
        boundaries=analysis.boundaries,
        scores=analysis.scores,
        embeddings=analysis.embeddings,
    )
    return content.getvalue()


def read_analysis(path: Path) -> ClipAnalysis:
    """The analysis in an .npz file.

    Raises:
        ClipError: unreadable, or not a ClipAnalysis.
    """
    try:
        # from memory: numpy leaves a file open that is no zip archive
        with np.load(io.BytesIO(_read_bounded(path)), allow_pickle=False) as arrays:
            return ClipAnalysis(
                tuple(arrays["labels"].tolist()),
                arrays["boundaries"].astype(np.float64),
                arrays["scores"].astype(np.float16),
                arrays["embeddings"].astype(np.float16),
            )
    except _UNREADABLE as error:
        raise ClipError(f"{path}: expected scores and embeddings: {error}") from error


def _read_bounded(path: Path) -> bytes:
    """The file's content, unless it has or unpacks to more than MAX_ANALYSIS_BYTES."""
    with path.open("rb") as file:
        content = file.read(MAX_ANALYSIS_BYTES + 1)
    size = len(content)
    if size <= MAX_ANALYSIS_BYTES:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(member.file_size for member in archive.infolist())
    if size > MAX_ANALYSIS_BYTES:
        raise ValueError(f"at most {MAX_ANALYSIS_BYTES} bytes, got more")
    return content


@dataclasses.dataclass(frozen=True, slots=True)
class ClipDraft:
    """A clip that is not stored yet.

    `record.path` is no more than a file name. `samples` is float32 (n,), mono, at `sample_rate_hz`.
    """

    record: ClipRecord
    sample_rate_hz: int
    samples: Samples
    analysis: ClipAnalysis

"""ClipAnalysis: the scores and embeddings of the slots in a clip, and their .npz form."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from listener.detection.clip import ClipError

HalfScores = NDArray[np.float16]

MAX_ANALYSIS_BYTES = 64 * 1024 * 1024  # ten minutes of YAMNet take 4 MB

# What zipfile, zlib and numpy's reader were seen to raise of damaged archives. A shape in an array's
# head is asked of the memory before its values are read, and may be any number.
_UNREADABLE = (
    OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, MemoryError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
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
    """The file, which neither is nor unpacks to more than an analysis can be."""
    with path.open("rb") as file:
        content = file.read(MAX_ANALYSIS_BYTES + 1)
    size = len(content)
    if size <= MAX_ANALYSIS_BYTES:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(member.file_size for member in archive.infolist())
    if size > MAX_ANALYSIS_BYTES:
        raise ValueError(f"at most {MAX_ANALYSIS_BYTES} bytes, got more")
    return content

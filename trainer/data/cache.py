"""The embedding cache: a directory of small files, each named by the hash of all that made it.

No entry can be stale, because a changed ingredient gives another name. Entries are renamed into place, so
any number of processes may fill one directory at once. It can be deleted at any time.
"""

import hashlib
import io
import json
import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from listener.detection import audio as resampling
from listener.detection import features, log_mel
from listener.detection.bundle import ARCHIVE_ERRORS
from trainer.data import audio as decoding
from trainer.data import preparation
from trainer.errors import DataError

log = logging.getLogger(__name__)

FORMAT = 1
_FRONT_END = (decoding, preparation, resampling, features, log_mel)


@dataclass(frozen=True, slots=True)
class Entry:
    """What is kept of a clip: embeddings, float32 (patches, D), and its length in seconds.

    Raises:
        ValueError: embeddings of another type or shape.
    """

    embeddings: NDArray[np.float32]
    seconds: float

    def __post_init__(self) -> None:
        if self.embeddings.dtype != np.float32 or self.embeddings.ndim != 2:  # noqa: PLR2004 - (P, D)
            found = f"{self.embeddings.dtype} {self.embeddings.shape}"
            raise ValueError(f"expected float32 (patches, D), got {found}")


def make_key(ingredients: Mapping[str, Any]) -> str:
    """The name of an entry: SHA-256 of the ingredients, which JSON must be able to hold."""
    text = json.dumps({"format": FORMAT, **ingredients}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class EmbeddingCache:
    """Entries by key in up to 256 folders below `path`, which the first stored entry creates."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self, key: str) -> Entry | None:
        """The entry, or None if there is none; a damaged one is logged and counts as none."""
        path = self._path_of(key)
        try:
            # opened here, because np.load leaves its handle open when the archive is torn
            with path.open("rb") as handle, np.load(handle, allow_pickle=False) as arrays:
                return Entry(arrays["embeddings"], float(arrays["seconds"]))
        except FileNotFoundError:
            return None
        # the zip's checksums find flipped bits; the other errors are what a torn file can give
        except ARCHIVE_ERRORS as error:
            log.warning("damaged cache entry, made anew: %s: %s", path, error)
            return None

    def store(self, key: str, entry: Entry) -> None:
        """Write an entry whole or not at all.

        Raises:
            DataError: it cannot be written: the disk is full, or read-only.
        """
        buffer = io.BytesIO()
        np.savez(buffer, embeddings=entry.embeddings, seconds=np.float64(entry.seconds))
        path = self._path_of(key)
        try:
            _write(path, buffer.getvalue())
        except OSError as error:
            raise DataError(
                f"cache {self.path}: cannot be written: {error.strerror}; "
                "what is in it already stays good"
            ) from error

    def _path_of(self, key: str) -> Path:
        return self.path / key[:2] / f"{key[2:]}.npz"


def _write(path: Path, content: bytes) -> None:
    # no fsync: an entry torn by a power cut is found by its checksum and made anew
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=".partial-")
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(content)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


@cache
def front_end_digest() -> str:
    """SHA-256 of the source of the modules that decode, resample and compute the log-mel.

    It is part of every key, so that a change of these, or of the libraries that resample and decode,
    invalidates older embeddings.
    """
    digest = hashlib.sha256()
    for module in _FRONT_END:
        digest.update(Path(str(module.__file__)).read_bytes())
    digest.update(f"{soxr.__version__} {soundfile.__libsndfile_version__}".encode())
    return digest.hexdigest()

"""The embedding cache: a directory of small files, each named by the hash of all that made it.

Nothing in it can be stale, for what changed has another name. Entries are put in place by a rename, so
that any number of processes may fill one directory at once; it can be deleted at any time.
"""

from __future__ import annotations

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
from types import ModuleType
from typing import Any
from zipfile import BadZipFile

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from listener.detection import audio as detection_audio
from listener.detection import features as detection_features
from listener.detection import features as detection_front_end
from listener.detection import log_mel as detection_spectrum
from trainer.data import audio, preparation
from trainer.data import audio as decoding
from trainer.errors import DataError

log = logging.getLogger(__name__)

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """What is kept of a clip: embeddings, float32 (patches, D), and its length in seconds."""

    embeddings: NDArray[np.float32]
    seconds: float


def make_key(ingredients: Mapping[str, Any]) -> str:
    """The name of an entry: SHA-256 of the ingredients, which must be what JSON can hold."""
    text = json.dumps({"format": FORMAT, **ingredients}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class EmbeddingCache:
    """Entries by key in 256 folders below `path`, which is made when the first one is stored."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self, key: str) -> Entry | None:
        """The entry, or None if there is none; a damaged one is reported and is none."""
        path = self._path_of(key)
        try:
            return _read(path)
        except FileNotFoundError:
            return None
        # the zip's own checksums find flipped bits; all else is what a torn file can give
        except (OSError, EOFError, BadZipFile, KeyError, TypeError, ValueError) as error:
            log.warning("damaged cache entry, made anew: %s: %s", path, error)
            return None

    def store(self, key: str, entry: Entry) -> None:
        """Put an entry in place, whole or not at all.

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


def _read(path: Path) -> Entry:
    # opened here, because np.load leaves its handle open when the archive is torn
    with path.open("rb") as handle, np.load(handle, allow_pickle=False) as arrays:
        entry = Entry(arrays["embeddings"], float(arrays["seconds"]))
    if entry.embeddings.dtype != np.float32 or entry.embeddings.ndim != 2:  # noqa: PLR2004 - (P, D)
        found = f"{entry.embeddings.dtype} {entry.embeddings.shape}"
        raise ValueError(f"expected float32 (patches, D), found {found}")
    return entry


def _write(path: Path, content: bytes) -> None:
    # no fsync: what a power cut tears is found by its checksum and made anew
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=".partial-")
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(content)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


# Which code makes patches out of files: part of the cache's keys.


_MODULES: tuple[ModuleType, ...] = (
    audio,
    decoding,
    preparation,
    detection_audio,
    detection_features,
    detection_front_end,
    detection_spectrum,
)


@cache
def front_end_digest() -> str:
    """SHA-256 of the text of the modules that decode, resample and compute the log-mel.

    So embeddings made before a change of these, or by another resampler or decoder, are not served after.
    """
    digest = hashlib.sha256()
    for module in _MODULES:
        digest.update(Path(str(module.__file__)).read_bytes())
    digest.update(f"{soxr.__version__} {soundfile.__libsndfile_version__}".encode())
    return digest.hexdigest()

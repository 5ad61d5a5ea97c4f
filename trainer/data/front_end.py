"""Which code makes patches out of files: part of the cache's keys."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from types import ModuleType

import soundfile
import soxr

from listener.detection import audio as detection_audio
from listener.detection import features as detection_features
from listener.detection import features as detection_front_end
from listener.detection import log_mel as detection_spectrum
from trainer.data import audio, decoding, preparation

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

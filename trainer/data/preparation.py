"""From a clip to its patches: read the waveform, change it, compute the log-mel."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import Samples
from listener.detection.features import log_mel_patches
from listener.detection.params import FeatureParams
from trainer.data import audio, clips
from trainer.errors import DataError


def leave_as_is(samples: Samples, sample_rate_hz: int, random: np.random.Generator) -> Samples:  # noqa: ARG001 - the signature of every change
    """The waveform unchanged."""
    return samples


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a waveform is changed before its log-mel, such as augmentation.

    `change(samples, sample_rate_hz, random)` gives float32 (n,). `name` is part of the cache's keys, as
    `seed` is, so it must differ for any change that gives other waveforms, including the content of files
    mixed in. The generator is seeded by `seed` and the clip, so that the order of clips does not matter.
    """

    name: str = "as is"
    change: Callable[[Samples, int, np.random.Generator], Samples] = leave_as_is
    seed: int = 0

    def apply(
        self, samples: Samples, sample_rate_hz: int, clip: clips.Clip, digest: str
    ) -> Samples:
        """The changed waveform of a clip; `digest` is the SHA-256 of its file."""
        cut = hashlib.sha256(f"{digest} {clip.onset} {clip.seconds}".encode()).digest()
        random = np.random.default_rng([self.seed, int.from_bytes(cut[:8], "big")])
        return self.change(samples, sample_rate_hz, random)


AS_IS = Preparation()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A clip's patches, float32 (patches, 96, 64), and its length in seconds."""

    patches: NDArray[np.float32]
    seconds: float


def prepare(
    clip: clips.Clip, features: FeatureParams, preparation: Preparation, digest: str
) -> Prepared:
    """The patches of a clip, the last one padded with silence; `digest` is the SHA-256 of its file.

    Raises:
        DataError: unusable audio, or a span that begins after its end.
    """
    samples = audio.read_audio(clip, features.sample_rate_hz)
    seconds = len(samples) / features.sample_rate_hz
    for span in clip.spans:
        if span.onset >= seconds:
            raise DataError(
                f"{clip.path}: {span.label}: expected an onset within {seconds:g} s, "
                f"got {span.onset:g}"
            )
    samples = preparation.apply(samples, features.sample_rate_hz, clip, digest)
    return Prepared(log_mel_patches(samples, features), len(samples) / features.sample_rate_hz)


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error

"""The bank of negatives of a backbone: what real sound that nobody taught looks like to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from listener.detection.features import log_mel_patches
from listener.detection.params import FeatureParams
from trainer.data.patches import Embedder

BANK_FILES = (Path(__file__).parent / "yamnet.npz",)  # one for each backbone that has a bank
CREDITS_FILE = Path(__file__).parent / "CREDITS.md"
PATCH_HOP_SECONDS = 0.48  # between the patches of a clip
HELD_SOURCES = 4  # one source in so many sets thresholds and is never trained on
SAME_BACKBONE = 1e-2  # of the probe's largest value; float16 storage of weights stays far below
_ROUND = 128  # int8 -> 0 to 255


@dataclass(frozen=True, slots=True)
class BankOfNegatives:
    """Embeddings of clips without a label, with the clip and the source that each one is of.

    `embeddings` float32 (N, D); `clip` and `source` integers (N,), `clip` never falls; `sources` names the
    sources. Embeddings of one source may sound alike.
    """

    embeddings: NDArray[np.float32]
    clip: NDArray[np.int64]
    source: NDArray[np.int64]
    sources: tuple[str, ...]

    def split(self) -> tuple[BankOfNegatives, BankOfNegatives]:
        """What is trained on, and what thresholds are set on; no source is in both."""
        held = self.source % HELD_SOURCES == HELD_SOURCES - 1
        return self._rows(~held), self._rows(held)

    def without_clips(self, clips: Sequence[int] | NDArray[np.int64]) -> BankOfNegatives:
        """The bank less these clips."""
        return self._rows(~np.isin(self.clip, clips))

    def clip_means(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The numbers of the clips, (C,), and the mean embedding of each, (C, D)."""
        numbers, starts, counts = np.unique(self.clip, return_index=True, return_counts=True)
        sums = np.add.reduceat(self.embeddings, starts, axis=0)
        return numbers, np.asarray(sums / counts[:, None], np.float32)

    def by_clip(self) -> tuple[NDArray[np.float32], ...]:
        """The embeddings of each clip, (patches, D), in the order of `clip_means`."""
        starts = np.unique(self.clip, return_index=True)[1]
        return tuple(np.split(self.embeddings, starts[1:]))

    def _rows(self, kept: NDArray[np.bool_]) -> BankOfNegatives:
        return replace(
            self,
            embeddings=self.embeddings[kept],
            clip=self.clip[kept],
            source=self.source[kept],
        )


def find_bank(backbone: Embedder) -> BankOfNegatives | None:
    """The bank whose probe this backbone embeds as the bank says; None where there is none.

    So a bundle of a network, its SavedModel and a smaller form of it share a bank, and another network
    of the same shape does not get it.
    """
    shape = (backbone.features.patch_frames, backbone.features.mel_bands)
    patches = probe_patches()
    for file in BANK_FILES:
        with np.load(file, allow_pickle=False) as arrays:
            probe = np.asarray(arrays["probe"], np.float32)
            if backbone.embedding_size != probe.shape[-1] or patches.shape[1:] != shape:
                continue
            difference = np.abs(backbone.embed(patches) - probe).max()
            if difference <= SAME_BACKBONE * np.abs(probe).max():
                return _read(arrays)
    return None


def probe_patches() -> NDArray[np.float32]:
    """Log-mel patches of a second of generated noise under the default front end, (1, 96, 64)."""
    noise = np.random.default_rng(0).normal(0.0, 0.1, FeatureParams().window_samples)
    return log_mel_patches(noise.astype(np.float32), FeatureParams())


def _read(arrays: np.lib.npyio.NpzFile) -> BankOfNegatives:
    scaled = arrays["embeddings"].astype(np.float32) + _ROUND
    return BankOfNegatives(
        embeddings=scaled * arrays["scale"] + arrays["zero"],
        clip=arrays["clip"].astype(np.int64),
        source=arrays["source"].astype(np.int64),
        sources=tuple(arrays["sources"].tolist()),
    )

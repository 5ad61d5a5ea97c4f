"""Which clips calibrate the integer form, and which judge all forms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from listener.detection.features import log_mel_patches
from listener.detection.params import FeatureParams
from trainer.data.clips import ClipTable, Quarantined
from trainer.errors import DataError
from trainer.evaluation.selection import Progress, read_one_by_one

_ONE_IN = 10  # clips is not judged by
_MOST_CLIPS = 40
_ROUNDING = 1e-4  # of a logarithm
_MOST_PATCHES = 200  # each takes the converter 5 ms for YAMNet


def split_clips(table: ClipTable) -> tuple[ClipTable, ClipTable]:
    """A few clips from all over the table to calibrate on, and the others to judge by.

    Raises:
        DataError: fewer than two clips.
    """
    count = len(table.clips)
    if count < 2:  # noqa: PLR2004 - one for each
        raise DataError(f"expected at least 2 clips to judge forms by, got {count}")
    wanted = min(max(count // _ONE_IN, 1), _MOST_CLIPS)
    chosen = set(np.linspace(0, count - 1, wanted, dtype=np.intp).tolist())
    first = tuple(clip for index, clip in enumerate(table.clips) if index in chosen)
    rest = tuple(clip for index, clip in enumerate(table.clips) if index not in chosen)
    return replace(table, clips=first), replace(table, clips=rest)


def representative_patches(
    table: ClipTable, features: FeatureParams, progress: Progress | None = None
) -> NDArray[np.float32]:
    """At most 200 patches from all over the clips, float32 (n, 96, 64).

    Patches with digital silence in them are left out, if there are others: it drives YAMNet's logits to
    -650, and 8 bits for a range like that tell nothing apart where sounds are.

    Raises:
        DataError: no clip can be read.
    """
    patches = list(_all_patches(table, features, progress))
    if not patches:
        raise DataError(f"expected clips that can be read, got none of {len(table.clips)}")
    whole = np.concatenate(patches)
    sounding = whole[~_has_silence(whole, features)]
    whole = sounding if len(sounding) else whole
    return whole[:: -(-len(whole) // _MOST_PATCHES)]


def _has_silence(patches: NDArray[np.float32], features: FeatureParams) -> NDArray[np.bool_]:
    """Which of the patches have an STFT frame of zeros, (n,)."""
    silent = (patches < np.log(features.log_offset) + _ROUNDING).all(axis=2)
    return np.asarray(silent.any(axis=1), np.bool_)


def _all_patches(
    table: ClipTable, features: FeatureParams, progress: Progress | None
) -> Iterator[NDArray[np.float32]]:
    for _, samples in read_one_by_one(table, features.sample_rate_hz, progress):
        if not isinstance(samples, Quarantined):
            yield log_mel_patches(samples, features)

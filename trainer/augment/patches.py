"""Variations of what is already log-mel or an embedding: SpecAugment and mixup."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from listener.detection.features import LogMel

Batch = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Masks:
    """How many stripes SpecAugment paints over a patch, and how wide each is at most.

    Park et al., arXiv:1904.08779; no time warping, which they found to matter least.
    """

    time_count: int = 2
    time_frames: int = 16
    band_count: int = 2
    bands: int = 8


def mask_log_mel(patches: LogMel, masks: Masks, rng: np.random.Generator) -> LogMel:
    """Stripes of each patch's own mean, over time and over bands: (B, frames, bands), a copy."""
    masked = patches.copy()
    for patch in masked:
        mean = patch.mean()
        for _ in range(masks.time_count):
            patch[_stripe(patch.shape[0], masks.time_frames, rng)] = mean
        for _ in range(masks.band_count):
            patch[:, _stripe(patch.shape[1], masks.bands, rng)] = mean
    return masked


def _stripe(length: int, widest: int, rng: np.random.Generator) -> slice:
    width = int(rng.integers(min(widest, length) + 1))
    start = int(rng.integers(length - width + 1))
    return slice(start, start + width)


def mix_up(
    inputs: Batch, targets: Batch, masks: Batch, alpha: float, rng: np.random.Generator
) -> tuple[Batch, Batch, Batch]:
    """Each example with a share of another one (Zhang et al., arXiv:1710.09412).

    (B, ...), (B, K), (B, K) -> the same shapes. The share of the first is drawn from
    Beta(alpha, alpha) and at least a half, so that an example stays mostly itself. A target is known
    (its mask 1) only where it is known of both.
    """
    partner = rng.permutation(len(inputs))
    share = rng.beta(alpha, alpha, len(inputs)).astype(np.float32)
    share = np.maximum(share, 1.0 - share)
    return (
        _blend(inputs, inputs[partner], share),
        _blend(targets, targets[partner], share),
        masks * masks[partner],
    )


def _blend(first: Batch, second: Batch, share: Batch) -> Batch:
    share = share.reshape(-1, *(1,) * (first.ndim - 1))
    return share * first + (1.0 - share) * second

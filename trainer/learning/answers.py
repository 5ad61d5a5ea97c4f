"""What a head should say of each patch: what people said, elsewhere what it said before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from listener.detection.params import FeatureParams
from trainer.data.clips import BACKGROUND, Clip
from trainer.data.targets import Targets, patch_targets

Scores = NDArray[np.float32]


def answers_of(
    clip: Clip,
    seconds: float,
    features: FeatureParams,
    columns: tuple[str, ...],
    before: Scores,
    had: NDArray[np.bool_],
) -> Targets:
    """Values in [0, 1] and known, (patches, K): a verdict with the bundle's own outputs around it.

    `before` is what the old head says of the clip's patches, (patches, K), and `had` which columns it
    has, (K,): of new labels it says nothing.
    """
    said = patch_targets(clip, columns, len(before), seconds, features)
    if columns[-1] == BACKGROUND:
        return Targets(_shares(said, before), np.ones_like(before))
    values = np.where(said.known > 0, said.values, before)
    return Targets(values, np.maximum(said.known, had.astype(np.float32)))


def answers_before(before: Scores, columns: tuple[str, ...], known: NDArray[np.bool_]) -> Targets:
    """The bundle's own outputs, to be kept; `known` are the columns that they say something of, (K,).

    With softmax all are known: where an old label is heard, no new one is.
    """
    known = np.broadcast_to(known | (columns[-1] == BACKGROUND), before.shape)
    return Targets(before, known.astype(np.float32))


def _shares(said: Targets, before: Scores) -> Scores:
    """Softmax: what is heard shares the whole; else what is denied goes to the background.

    Not to the label that comes second: it would be as wrong as the first.
    """
    denied = (said.known > 0) & (said.values == 0)
    denied[:, -1] = False
    kept = np.where(denied, 0.0, before)
    kept[:, -1] += np.where(denied, before, 0.0).sum(axis=1)
    heard = said.values.sum(axis=1, keepdims=True)
    shares = np.where(heard > 0, said.values / np.maximum(heard, 1.0), kept)
    return np.asarray(shares, np.float32)

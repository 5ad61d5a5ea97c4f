"""The training targets of clips and patches, and which of them are known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from listener.detection import params, scores
from listener.detection.clip import LabelSpan
from trainer.data.checks import check_labels
from trainer.data.clips import BACKGROUND, Clip

_ENOUGH = 0.5 - 1e-6  # times are sums of float seconds


@dataclass(frozen=True, slots=True)
class Targets:
    """`values` and `known`, float32 (patches, K), 0 or 1; where `known` is 0 the value is meaningless."""

    values: NDArray[np.float32]
    known: NDArray[np.float32]


def clip_targets(clip: Clip, classes: tuple[str, ...], *, exclusive: bool = False) -> Targets:
    """The targets of a clip as a whole, (1, K): its labels 1, its negatives 0.

    Any other class is 0 and known if the clip is exhaustive and does not list it as unknown, or if classes
    are `exclusive` (only one can be true, softmax); otherwise it is unknown.

    Raises:
        DataError: a label that is not among the classes.
    """
    check_labels(clip, classes)
    values = np.array([[name in clip.labels for name in classes]], np.float32)
    if exclusive:
        return Targets(values, np.ones_like(values))
    if clip.exhaustive:
        known = np.array([[name not in clip.unknown for name in classes]], np.float32)
        return Targets(values, known)
    named = clip.labels | clip.negatives
    return Targets(values, np.array([[name in named for name in classes]], np.float32))


def patch_targets(
    clip: Clip,
    classes: tuple[str, ...],
    patch_count: int,
    seconds: float,
    features: params.FeatureParams,
    *,
    exclusive: bool = False,
) -> Targets:
    """The targets of each patch of a clip of this length, (patches, K).

    A label with spans is 1 in patches whose slot they cover by half or more, or that hold half or more of
    a span shorter than a slot; elsewhere it is known to be 0. A label without spans is 1 in every patch.
    Patches of an exhaustive clip with no label are background, if that is a class.

    Raises:
        DataError: a label that is not among the classes.
    """
    whole = clip_targets(clip, classes, exclusive=exclusive)
    values = np.repeat(whole.values, patch_count, axis=0)
    known = np.repeat(whole.known, patch_count, axis=0)
    boundaries = scores.slot_boundaries(patch_count, seconds, features)
    for label in {span.label for span in clip.spans}:
        spans = [span for span in clip.spans if span.label == label]
        values[:, classes.index(label)] = _heard(spans, boundaries)
        known[:, classes.index(label)] = 1.0
    if BACKGROUND in classes and clip.exhaustive:
        others = values[:, [name != BACKGROUND for name in classes]]
        values[:, classes.index(BACKGROUND)] = ~others.any(axis=1)
    return Targets(values, known)


def _heard(spans: Sequence[LabelSpan], boundaries: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The slots in which any of the spans is heard, (patches,)."""
    heard = np.zeros(len(boundaries) - 1, np.bool_)
    for span in spans:
        begin = np.maximum(boundaries[:-1], span.onset)
        overlap = np.minimum(boundaries[1:], span.offset) - begin
        enough = _ENOUGH * np.minimum(np.diff(boundaries), span.offset - span.onset)
        heard |= overlap >= enough
    return heard

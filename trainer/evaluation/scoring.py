"""Waveform -> the scores that the daemon would see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from listener.detection import audio, clip, hysteresis, params, policy
from listener.detection.bundle import Bundle, Infer
from listener.detection.features import log_mel_patches
from listener.detection.scores import slot_boundaries
from listener.engines.litert import LiteRTEngine
from trainer.evaluation.scored_file import ScoredFile, Span

_PATCHES_AT_ONCE = 16  # the engine's largest batch


class Scorer(Protocol):
    """A model as the evaluation sees it."""

    @property
    def features(self) -> params.FeatureParams:
        """Its front end."""

    def __call__(self, samples: audio.Samples) -> NDArray[np.float32]:
        """Waveform, float32 (n,) at the front end's rate -> scores (patches, K) in [0, 1]."""


@dataclass(frozen=True, slots=True)
class PatchScorer:
    """A `Scorer` made of what turns patches into scores and embeddings: an engine."""

    features: params.FeatureParams
    infer: Infer

    def __call__(self, samples: audio.Samples) -> NDArray[np.float32]:
        """See `Scorer`."""
        patches = log_mel_patches(samples, self.features)
        starts = range(0, len(patches), _PATCHES_AT_ONCE)
        parts = [self.infer(patches[start : start + _PATCHES_AT_ONCE])[0] for start in starts]
        return np.concatenate(parts)


def open_scorer(bundle: Bundle) -> PatchScorer:
    """The bundle's model in the daemon's own engine, on one thread.

    Raises:
        BundleError: the model cannot be run.
    """
    engine = LiteRTEngine(bundle.model_path, max_batch=_PATCHES_AT_ONCE)
    return PatchScorer(bundle.manifest.features, engine.infer)


def ordered_policies(bundle: Bundle) -> dict[str, policy.LabelPolicy]:
    """The bundle's policies in the order of its scores, as the detector needs them."""
    return {label: bundle.manifest.policies[label] for label in bundle.labels}


def score_file(
    scorer: Scorer, samples: audio.Samples, name: str = "", truth: Sequence[Span] = ()
) -> ScoredFile:
    """The scores of at least one sample, with the time slot of each."""
    scores = scorer(samples)
    seconds = len(samples) / scorer.features.sample_rate_hz
    boundaries = slot_boundaries(len(scores), seconds, scorer.features)
    return ScoredFile(name, scores, boundaries, tuple(truth))


def find_spans(
    file: ScoredFile, policies: Mapping[str, policy.LabelPolicy], patch_hop_seconds: float
) -> list[clip.LabelSpan]:
    """The events that the daemon would report, by onset and label."""
    events = hysteresis.detect_events(file.scores, file.boundaries, policies, patch_hop_seconds)
    return [
        clip.LabelSpan(event.label, event.onset, event.offset or event.onset) for event in events
    ]

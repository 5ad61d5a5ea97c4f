"""Scenes of some folds -> a model of ESC-10's labels -> scores of other scenes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.events.head import LinearHead, fit_head
from listener.detection.clip import LabelSpan
from listener.detection.features import log_mel_patches
from listener.detection.scores import slot_boundaries
from listener.soundscape.scene import Scene
from listener.soundscape.synthesis import SAMPLE_RATE_HZ
from trainer.data.clips import Clip
from trainer.data.targets import patch_targets
from trainer.evaluation.scored_file import ScoredFile
from trainer.model.backbones import Backbone

Scorer = Callable[[Sequence[Scene]], list[ScoredFile]]


@dataclass(frozen=True, slots=True)
class SceneModel:
    """A backbone with a head."""

    backbone: Backbone
    head: LinearHead

    def score(self, scenes: Sequence[Scene]) -> list[ScoredFile]:
        """The scores of each scene, with its truth."""
        return [self._score(str(number), scene) for number, scene in enumerate(scenes)]

    def _score(self, name: str, scene: Scene) -> ScoredFile:
        scores = self.head(_embed(self.backbone, scene)).astype(np.float32)
        boundaries = slot_boundaries(len(scores), _seconds(scene), self.backbone.features)
        return ScoredFile(name, scores, boundaries, scene.truth)


def fit_model(
    backbone: Backbone, scenes: Sequence[Scene], labels: tuple[str, ...], seed: int
) -> SceneModel:
    """Each patch learns what sounds in its slot."""
    embeddings = [_embed(backbone, scene) for scene in scenes]
    targets = [
        patch_targets(_as_clip(scene), labels, len(each), _seconds(scene), backbone.features).values
        for scene, each in zip(scenes, embeddings, strict=True)
    ]
    return SceneModel(backbone, fit_head(np.concatenate(embeddings), np.concatenate(targets), seed))


def _embed(backbone: Backbone, scene: Scene) -> np.ndarray:
    return backbone.embed(log_mel_patches(scene.samples, backbone.features))


def _as_clip(scene: Scene) -> Clip:
    spans = tuple(LabelSpan(sound.label, sound.onset, sound.offset) for sound in scene.truth)
    labels = frozenset(span.label for span in spans)
    return Clip(Path(), labels, "", 0, spans=spans, exhaustive=True)


def _seconds(scene: Scene) -> float:
    return len(scene.samples) / SAMPLE_RATE_HZ

"""Where people are heard: labels of which no audio is kept unless somebody asks for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SPEECH_LABELS = frozenset(
    {
        "speech",
        "male_speech_man_speaking",
        "female_speech_woman_speaking",
        "child_speech_kid_speaking",
        "conversation",
        "narration_monologue",
        "babbling",
        "shout",
        "bellow",
        "whoop",
        "yell",
        "children_shouting",
        "whispering",
        "singing",
        "child_singing",
        "rapping",
        "chant",
        "chatter",
        "hubbub_speech_noise_speech_babble",
        "children_playing",
    }
)
"""Sounds of AudioSet (research.google.com/audioset/ontology) in which words may be understood, as slugs."""


@dataclass(frozen=True, slots=True)
class PrivateScores:
    """The columns of the engine's scores that are private, and from which score on each is heard."""

    columns: NDArray[np.intp]
    thresholds: NDArray[np.float32]

    def heard(self, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Whether any is heard in each patch: float32 (B, all labels of the bundle) -> (B,)."""
        return np.asarray((scores[:, self.columns] >= self.thresholds).any(axis=1))

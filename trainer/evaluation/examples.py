"""Clips that show what a bundle gets right and what it gets wrong."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import Samples
from listener.detection.bundle import Bundle
from listener.detection.features import log_mel_patches
from listener.detection.params import FeatureParams
from trainer.data import audio, clips
from trainer.evaluation import scored_clips, scored_file, scoring

MOST_OF_A_KIND = 3  # right ones, and wrong ones
LONGEST_SECONDS = 30.0  # of a clip; only the beginning of a longer one is shown


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled clip, and the label with its highest mean score."""

    clip: clips.Clip
    guess: str
    score: float

    @property
    def right(self) -> bool:
        """Whether the guess is one of the clip's labels."""
        return self.guess in self.clip.labels


@dataclass(frozen=True, slots=True)
class ExampleView:
    """Samples, float32 (n,); log-mel, float32 (n_frames, bands); scores of all labels of the bundle."""

    example: Example
    samples: Samples
    log_mel: NDArray[np.float32]
    file: scored_file.ScoredFile
    features: FeatureParams

    @property
    def seconds(self) -> float:
        """Length of what is shown."""
        return len(self.samples) / self.features.sample_rate_hz


def choose_examples(table: scored_clips.ScoredTable) -> tuple[Example, ...]:
    """Right ones, then wrong ones: of each those with the highest score, no two of the same labels."""
    examples = []
    for each in table.clips:
        if each.clip.labels:
            means = each.file.scores.mean(axis=0)
            best = int(means.argmax())
            examples.append(Example(each.clip, table.labels[best], float(means[best])))
    examples.sort(key=lambda each: -each.score)
    right = _different(each for each in examples if each.right)
    return (*right, *_different(each for each in examples if not each.right))


def _different(examples: Iterable[Example]) -> list[Example]:
    first: dict[frozenset[str], Example] = {}
    for example in examples:
        first.setdefault(example.clip.labels, example)
    return list(first.values())[:MOST_OF_A_KIND]


def load_example(example: Example, bundle: Bundle, scorer: scoring.Scorer) -> ExampleView:
    """The clip read and scored again: there are few examples, so the evaluation keeps no samples.

    Raises:
        DataError: it can no longer be read.
    """
    features = bundle.manifest.features
    samples = audio.read_audio(example.clip, features.sample_rate_hz)
    samples = samples[: round(LONGEST_SECONDS * features.sample_rate_hz)]
    file = scoring.score_file(scorer, samples, example.clip.path.name, example.clip.spans)
    return ExampleView(example, samples, join_patches(samples, features), file, features)


def join_patches(samples: Samples, features: FeatureParams) -> NDArray[np.float32]:
    """The log-mel as the model sees it, float32 (n_frames, bands), overlapping patches once."""
    first, *others = log_mel_patches(samples, features)
    return np.concatenate((first, *(patch[-features.patch_hop_frames :] for patch in others)))

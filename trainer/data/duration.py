"""How long the sounds of a class last, and the policy that a taught label begins with."""

from collections.abc import Sequence

import numpy as np

from listener.detection.audio import Samples
from listener.detection.bundle import Label
from listener.detection.params import FeatureParams
from listener.detection.policy import DurationClass, LabelPolicy, policy_for
from trainer.data import audio
from trainer.data.clips import ClipTable
from trainer.errors import DataError

QUIET_BELOW_LOUDEST_DB = 20.0  # of a sound's blocks: what is fainter is its decay or the room
_BLOCK_SECONDS = 0.05
_MIN_POWER = 1e-12  # -120 dBFS
_MOST_CLIPS = 30  # of a class: a quantile needs no more, and each is decoded
# Three of four sounds last at least so long: a filter for the median sound would swallow half of them
_QUANTILE = 0.25
_IMPULSIVE_SECONDS = 0.5  # at most
_SHORT_SECONDS = 2.0  # at most


def taught_policies(
    table: ClipTable, labels: Sequence[Label], features: FeatureParams
) -> dict[str, LabelPolicy]:
    """By slug, the policies of labels that were learnt from the table's class of the same name."""
    return {
        label.slug: policy_for(classify(class_seconds(table, label.name, features)))
        for label in labels
    }


def classify(seconds: Sequence[float]) -> DurationClass:
    """The class of a label whose sounds last so many seconds; sustained if nothing is known."""
    if not seconds:
        return DurationClass.SUSTAINED
    usual = float(np.quantile(seconds, _QUANTILE))
    if usual <= _IMPULSIVE_SECONDS:
        return DurationClass.IMPULSIVE
    return DurationClass.SHORT if usual <= _SHORT_SECONDS else DurationClass.SUSTAINED


def class_seconds(table: ClipTable, name: str, features: FeatureParams) -> list[float]:
    """How long a class sounds in its clips: its longest span, or where there is none, the activity.

    Clips with other labels beside it and no spans are left out, and those that cannot be read. Of many
    clips a few from all over the table are measured.
    """
    clips = [
        clip
        for clip in table.clips
        if clip.labels == {name} or any(span.label == name for span in clip.spans)
    ]
    few = np.linspace(0, len(clips) - 1, min(len(clips), _MOST_CLIPS), dtype=int).tolist()
    found = []
    for clip in (clips[index] for index in few):
        spans = [span.offset - span.onset for span in clip.spans if span.label == name]
        if spans:
            found.append(max(spans))
            continue
        try:
            samples = audio.read_audio(clip, features.sample_rate_hz)
        except DataError:
            continue  # logged and quarantined where it is embedded
        found.append(sounding_seconds(samples, features))
    return found


def sounding_seconds(samples: Samples, features: FeatureParams) -> float:
    """The longest time in which a sound goes on, without a pause as long as a patch.

    It sounds where a block of 50 ms is at most 20 dB below the loudest one. Over shorter pauses the scores
    stay high, because a patch holds the sound before or after.
    """
    block = round(_BLOCK_SECONDS * features.sample_rate_hz)
    padded = np.pad(samples.astype(np.float64), (0, -len(samples) % block))
    power = np.square(padded).reshape(-1, block).mean(axis=1)
    if power.max(initial=0.0) < _MIN_POWER:
        return 0.0
    loud = np.flatnonzero(power >= power.max() * 10.0 ** (-QUIET_BELOW_LOUDEST_DB / 10.0))
    pause = round(features.patch_seconds / _BLOCK_SECONDS)
    runs = np.split(loud, np.flatnonzero(np.diff(loud) > pause) + 1)
    longest = max(int(run[-1] - run[0]) + 1 for run in runs)
    return min(longest * _BLOCK_SECONDS, len(samples) / features.sample_rate_hz)

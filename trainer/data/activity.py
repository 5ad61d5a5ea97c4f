"""Which part of a clip its label is about: where it is quiet, it is background."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray

from listener.detection.audio import Samples
from listener.detection.clip import LabelSpan
from listener.detection.params import FeatureParams
from listener.detection.scores import slot_boundaries
from trainer.data.audio import read_audio
from trainer.data.cache import Entry, make_key
from trainer.data.clips import BACKGROUND
from trainer.data.patches import EmbeddedClip, EmbeddedTable

# Many clips of ESC-10 are one bark and four seconds of silence. Taken as the label, that silence made
# seven patches in a clip vote for whichever class is most often silent.
QUIET_BELOW_LOUDEST_DB = 40.0
QUIET_DBFS = -70.0
_LEAST_POWER = 1e-12  # -120 dBFS


def mark_activity(embedded: EmbeddedTable) -> EmbeddedTable:
    """Each clip of one label without spans gets the spans where it is not quiet; the rest is background.

    The background class is added where the table has none. Clips that are quiet throughout, or of which
    somebody said when, are left as they are. The levels are kept in the table's cache.

    Raises:
        DataError: a file that was embedded and cannot be read any more, or a cache that is full.
    """
    clips = tuple(_mark(each, embedded) for each in embedded.clips)
    others = tuple(name for name in embedded.classes if name != BACKGROUND)
    return replace(embedded, clips=clips, classes=(*others, BACKGROUND))


def _mark(embedded: EmbeddedClip, table: EmbeddedTable) -> EmbeddedClip:
    clip = embedded.clip
    if clip.spans or len(clip.labels) != 1 or BACKGROUND in clip.labels:
        return embedded
    (label,) = clip.labels
    levels = _cached_levels(embedded, table)
    active = find_active(levels, embedded.seconds, table.features)
    spans = tuple(LabelSpan(label, *span) for span in active)
    return replace(embedded, clip=replace(clip, spans=spans, exhaustive=bool(spans)))


def _cached_levels(embedded: EmbeddedClip, table: EmbeddedTable) -> NDArray[np.float64]:
    clip, features = embedded.clip, table.features
    cut = [embedded.digest, clip.onset, clip.seconds]
    key = make_key({"levels of": cut, "features": asdict(features)})
    entry = table.cache.load(key)
    if entry is None:
        levels = patch_levels(read_audio(clip, features.sample_rate_hz), features)
        entry = Entry(levels[:, None].astype(np.float32), embedded.seconds)
        table.cache.store(key, entry)
    return entry.embeddings[:, 0].astype(np.float64)


def find_active(
    levels: NDArray[np.float64], seconds: float, features: FeatureParams
) -> list[tuple[float, float]]:
    """Onsets and offsets, seconds, of the stretches of patch slots that are not quiet.

    A slot is quiet if the level of its patch, dBFS, is QUIET_BELOW_LOUDEST_DB under that of the loudest
    one, or under QUIET_DBFS. `seconds` is the length of the clip.
    """
    if not len(levels):
        return []
    active = (levels > levels.max() - QUIET_BELOW_LOUDEST_DB) & (levels > QUIET_DBFS)
    boundaries = slot_boundaries(len(levels), seconds, features)
    changes = np.flatnonzero(np.diff(active, prepend=False, append=False))
    return [
        (float(boundaries[first]), float(boundaries[after]))
        for first, after in changes.reshape(-1, 2)
    ]


def patch_levels(samples: Samples, features: FeatureParams) -> NDArray[np.float64]:
    """The level of each patch of a waveform, dBFS, (patches,), the last one padded with silence."""
    if not len(samples):
        return np.empty(0)
    beyond = max(len(samples) - features.window_samples, 0)
    starts = np.arange(-(-beyond // features.patch_hop_samples) + 1) * features.patch_hop_samples
    energy = np.concatenate(([0.0], np.cumsum(np.square(samples, dtype=np.float64))))
    ends = np.minimum(starts + features.window_samples, len(samples))
    power = (energy[ends] - energy[starts]) / features.window_samples
    return 10.0 * np.log10(np.maximum(power, _LEAST_POWER))

"""The part of a clip that its label is about; the quiet rest is background."""

from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray

from listener.detection import params, scores
from listener.detection.audio import Samples
from listener.detection.clip import LabelSpan
from trainer.data import audio, cache, clips
from trainer.data.patches import EmbeddedClip, EmbeddedTable

# Many clips of ESC-10 are one bark and four seconds of silence. Taken as the label, that silence made
# seven patches in a clip vote for whichever class is most often silent.
QUIET_BELOW_LOUDEST_DB = 40.0
QUIET_DBFS = -70.0
_MIN_POWER = 1e-12  # -120 dBFS


def mark_activity(table: EmbeddedTable) -> EmbeddedTable:
    """Give each clip with one label and no spans the spans where it is not quiet.

    The background class is added where the table has none. Clips that are quiet throughout, that have
    spans or other labels stay as they are. The levels are kept in the table's cache.

    Raises:
        DataError: a file that was embedded can no longer be read, or the cache is full.
    """
    marked: list[EmbeddedClip] = []
    for embedded in table.clips:
        clip = embedded.clip
        if clip.spans or len(clip.labels) != 1 or clips.BACKGROUND in clip.labels:
            marked.append(embedded)
            continue
        (label,) = clip.labels
        active = find_active(cached_levels(embedded, table), embedded.seconds, table.features)
        spans = tuple(LabelSpan(label, *span) for span in active)
        clip = replace(clip, spans=spans, exhaustive=bool(spans))
        marked.append(replace(embedded, clip=clip))
    others = tuple(name for name in table.classes if name != clips.BACKGROUND)
    return replace(table, clips=tuple(marked), classes=(*others, clips.BACKGROUND))


def cached_levels(embedded: EmbeddedClip, table: EmbeddedTable) -> NDArray[np.float64]:
    """The level of each patch of a clip, dBFS, (patches,), kept in the table's cache.

    Raises:
        DataError: the file can no longer be read, or the cache is full.
    """
    clip, features = embedded.clip, table.features
    cut = [embedded.digest, clip.onset, clip.seconds]
    key = cache.make_key({"levels of": cut, "features": asdict(features)})
    entry = table.cache.load(key)
    if entry is None:
        levels = patch_levels(audio.read_audio(clip, features.sample_rate_hz), features)
        entry = cache.Entry(levels[:, None].astype(np.float32), embedded.seconds)
        table.cache.store(key, entry)
    return entry.embeddings[:, 0].astype(np.float64)


def find_active(
    levels: NDArray[np.float64], seconds: float, features: params.FeatureParams
) -> list[tuple[float, float]]:
    """Onsets and offsets, seconds, of the runs of patch slots that are not quiet.

    A slot is quiet if the level of its patch is QUIET_BELOW_LOUDEST_DB below the loudest one's, or below
    QUIET_DBFS. `levels` are in dBFS, (patches,); `seconds` is the length of the clip.
    """
    if not len(levels):
        return []
    active = (levels > levels.max() - QUIET_BELOW_LOUDEST_DB) & (levels > QUIET_DBFS)
    boundaries = scores.slot_boundaries(len(levels), seconds, features)
    changes = np.flatnonzero(np.diff(active, prepend=False, append=False))
    return [
        (float(boundaries[first]), float(boundaries[after]))
        for first, after in changes.reshape(-1, 2)
    ]


def patch_levels(samples: Samples, features: params.FeatureParams) -> NDArray[np.float64]:
    """The level of each patch of a waveform, dBFS, (patches,), the last one padded with silence."""
    if not len(samples):
        return np.empty(0)
    beyond = max(len(samples) - features.window_samples, 0)
    starts = np.arange(-(-beyond // features.patch_hop_samples) + 1) * features.patch_hop_samples
    energy = np.concatenate(([0.0], np.cumsum(np.square(samples, dtype=np.float64))))
    ends = np.minimum(starts + features.window_samples, len(samples))
    power = (energy[ends] - energy[starts]) / features.window_samples
    return 10.0 * np.log10(np.maximum(power, _MIN_POWER))

"""AudioSet's classes of noise: a bundle that knows them is right to hear them in noise and in silence."""

from __future__ import annotations

from listener.detection.bundle import Bundle
from trainer.labels import AUDIOSET_MIDS

# Those whose names say what the gate's signals are. Not what they only sound like (waterfall, wind,
# rustle, snake): a station that listens for one of these hears a false alarm in noise.
# https://research.google.com/audioset/ontology
NOISE_CLASSES = {
    "/m/028v0c": "Silence",
    "/m/096m7z": "Noise",
    "/m/06_y0by": "Environmental noise",
    "/m/07rgkc5": "Static",
    "/m/0chx_": "White noise",
    "/m/0cj0r": "Pink noise",
}


def noise_classes_of(bundle: Bundle) -> frozenset[str]:
    """The labels of a bundle that are such classes, as slugs; none of one that was not made of YAMNet's."""
    mids = bundle.manifest.provenance.get(AUDIOSET_MIDS, ())
    return frozenset(
        slug for slug, mid in zip(bundle.labels, mids, strict=False) if mid in NOISE_CLASSES
    )

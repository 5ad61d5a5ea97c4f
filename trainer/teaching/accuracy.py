"""How many clips a taught network gets right, without a bundle being written."""

from __future__ import annotations

import keras
import numpy as np

from trainer.data.patches import PatchSource
from trainer.model.validation import accuracy, score_clips
from trainer.teaching.teach import Taught


def clip_accuracy(taught: Taught, source: PatchSource) -> float:
    """The share of clips whose highest mean score is a label's of theirs.

    The patches of `source` are log-mel if blocks of the backbone were thawed, else embeddings.

    Raises:
        DataError: a clip cannot be loaded.
    """
    network = taught.network_on(taught.thawed or _pass_on(len(taught.moments.mean)))
    scores = score_clips(lambda batch: np.asarray(network(batch)["scores"]), source)
    targets = [[name in clip.labels for name in taught.classes] for clip in source.table.clips]
    return accuracy(scores, np.array(targets, np.float32))


def _pass_on(embedding_size: int) -> keras.Model:
    """Embeddings as they are."""
    embeddings = keras.Input((embedding_size,), name="embeddings")
    return keras.Model(embeddings, keras.layers.Identity()(embeddings))

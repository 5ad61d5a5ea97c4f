"""Embedder: what turns patches into embeddings."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from listener.detection.params import FeatureParams


class Embedder(Protocol):
    """A front end and a network behind it, as far as clips are embedded by it."""

    @property
    def features(self) -> FeatureParams:
        """How the patches are made."""
        ...

    @property
    def embedding_size(self) -> int:
        """D, the numbers in an embedding."""
        ...

    @property
    def id(self) -> str:
        """64 hexadecimal digits that change with the weights and with the front end."""
        ...

    def embed(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log-mel patches (B, frames, bands) -> embeddings (B, D); both float32, B may be 0."""
        ...

"""Adam with a rate of its own for each layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras


class LayeredAdam:
    """One Adam for each share of the learning rate.

    To scale the gradients instead would change nothing: Adam divides each by its own size.
    """

    def __init__(self, variables: Sequence[Any], shares: Sequence[float]) -> None:
        self._groups = {
            share: [n for n, other in enumerate(shares) if other == share] for share in shares
        }
        self._adams = {share: keras.optimizers.Adam(share) for share in self._groups}
        for share, places in self._groups.items():
            self._adams[share].build([variables[place] for place in places])
        self._variables = variables

    def set_rate(self, learning_rate: float) -> None:
        """The rate of a layer whose share is 1."""
        for share, adam in self._adams.items():
            adam.learning_rate.assign(share * learning_rate)

    def apply(self, gradients: Sequence[Any]) -> None:
        """One step; a gradient for each variable."""
        for share, places in self._groups.items():
            pairs = [(gradients[place], self._variables[place]) for place in places]
            self._adams[share].apply_gradients(pairs)

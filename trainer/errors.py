"""What can be wrong with what the trainer is given; each message is one clear line.

They live apart from the modules that raise them, so that the commands can name them without
importing TensorFlow.
"""

from __future__ import annotations


class BackboneError(ValueError):
    """The handle does not lead to a YAMNet."""


class TargetError(ValueError):
    """The bundle cannot be put where it was asked for."""


class ParityError(Exception):
    """The exported model does not give the scores of the model it was made from."""


class DataError(ValueError):
    """Audio, labels or folds that cannot be learnt from, or a cache that cannot be kept."""


class FitError(ValueError):
    """The training has nothing to learn from, or went astray."""


class SearchError(ValueError):
    """A study that cannot be searched as asked for."""


class StorageError(Exception):
    """What keeps a study cannot be opened, or was lost."""


class QuantisationError(Exception):
    """The form of the model that was asked for is not good enough."""


class RegressionError(Exception):
    """What was learnt would cost more of what was known than was allowed, or nothing can tell."""


class PromotionError(Exception):
    """A bundle that the gate refuses, or that has nothing to go back to."""

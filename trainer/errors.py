"""The trainer's errors; each message is one line.

They are here so that the commands can name them without importing TensorFlow.
"""


class BackboneError(ValueError):
    """The handle is not that of a backbone."""


class TargetError(ValueError):
    """The output cannot be written where it was asked for."""


class ParityError(Exception):
    """The exported model does not give the scores of the model it was made from."""


class DataError(ValueError):
    """Audio, labels or folds cannot be used for training, or the cache cannot be written."""


class FitError(ValueError):
    """There is nothing to train on, or the training diverged."""


class SearchError(ValueError):
    """The study cannot be searched as asked for."""


class StorageError(Exception):
    """The storage of a study cannot be opened, or was lost."""


class QuantisationError(Exception):
    """The quantised model is not good enough."""


class RegressionError(Exception):
    """A retrained bundle loses more of an old label than allowed, or no held-out clips show it."""


class CalibrationError(Exception):
    """The budget of false alarms leaves a label less than the least recall."""


class PromotionError(Exception):
    """The gate refuses a bundle, or there is no bundle to go back to."""

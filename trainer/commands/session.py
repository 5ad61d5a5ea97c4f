"""Around every command: TensorFlow quiet, progress on stderr, errors as one line.

Exit codes: 0 done, 1 a check failed, 2 wrong use, 3 the installation lacks what the command needs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from listener.detection.bundle import BundleError
from trainer.errors import (
    BackboneError,
    CertificateError,
    DataError,
    FitError,
    FormError,
    ParityError,
    PromotionError,
    SearchError,
    StorageError,
    TargetError,
)
from trainer.terminal import log_progress, quiet_stderr

CHECK_FAILED, WRONG_USE, LACKING = 1, 2, 3
_EXIT_CODES: dict[type[Exception], int] = {
    BackboneError: WRONG_USE,
    DataError: WRONG_USE,
    FitError: WRONG_USE,
    SearchError: WRONG_USE,
    StorageError: LACKING,
    TargetError: WRONG_USE,
    CertificateError: CHECK_FAILED,
    PromotionError: CHECK_FAILED,
    FormError: CHECK_FAILED,
    ParityError: CHECK_FAILED,
    BundleError: CHECK_FAILED,
}
_TRAIN_PACKAGES = {
    "tensorflow",
    "keras",
    "tensorflow_hub",
    "pkg_resources",
    "optuna",
    "matplotlib",
}


@contextmanager
def session() -> Iterator[None]:
    """Errors that a user can mend become one line and an exit code; others stay tracebacks."""
    # both are read when TensorFlow and Keras are imported: errors only, and whatever keras.json says
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    try:
        with quiet_stderr(expected=(*_EXIT_CODES, ModuleNotFoundError)):
            log_progress()
            yield
    except tuple(_EXIT_CODES) as error:
        raise failure(str(error), _EXIT_CODES[type(error)]) from error
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _TRAIN_PACKAGES:
            raise
        message = f"{package} is not installed: pip install 'earshot[train]'"
        raise failure(message, LACKING) from error


def failure(message: str, exit_code: int) -> typer.Exit:
    """One line on stderr; what to raise."""
    typer.echo(f"trainer: {' '.join(message.split())}", err=True)
    return typer.Exit(exit_code)

"""What options of several commands mean."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from listener.detection.bundle import BundleError
from listener.detection.params import FeatureParams, Preprocessing
from trainer.config import LabelsOfAClip
from trainer.errors import (
    BackboneError,
    DataError,
    FitError,
    ParityError,
    PromotionError,
    QuantisationError,
    RegressionError,
    SearchError,
    StorageError,
    TargetError,
)
from trainer.model.settings import Activation
from trainer.terminal import log_progress, quiet_stderr

DataOption = Annotated[
    list[Path],
    typer.Option(help="ESC-50's CSV, a folder per class, or spans; may be repeated."),
]
BackboneOption = Annotated[
    str, typer.Option(help="TF Hub URL or directory: YAMNet, VGGish, or a bundle.")
]
LabelsOption = Annotated[
    LabelsOfAClip | None,
    typer.Option(help="Of a clip; default: one, unless a clip has several."),
]
HopOption = Annotated[float, typer.Option(help="Seconds from one patch to the next.")]
AskedOption = Annotated[
    list[str] | None,
    typer.Option(
        help="A label that the station listens for, of a group each member; may be repeated. "
        "The others are held to nothing. Default: all."
    ),
]
CacheOption = Annotated[Path, typer.Option(help="Embeddings of earlier runs.")]

ACTIVATIONS: dict[LabelsOfAClip | None, Activation | None] = {
    None: None,  # as the clips are
    "one": "softmax",
    "many": "sigmoid",
}


def features_with_hop(hop: float) -> FeatureParams:
    """The front end with this patch hop, seconds.

    Raises:
        typer.BadParameter: a hop that is not a whole number of frames.
    """
    try:
        return FeatureParams(patch_hop_seconds=hop)
    except ValidationError as error:
        raise typer.BadParameter(first_line(error), param_hint="--hop") from error


def choose_preprocessing(
    features: FeatureParams, high_pass_hz: float | None, level_dbfs: float | None
) -> Preprocessing | None:
    """What is asked for; None if nothing is.

    Raises:
        typer.BadParameter: a cutoff or a level out of the front end's range.
    """
    if high_pass_hz is None and level_dbfs is None:
        return None
    try:
        wanted = Preprocessing(high_pass_hz, level_dbfs)
        return replace(features, preprocessing=wanted).preprocessing
    except ValidationError as error:
        raise typer.BadParameter(first_line(error)) from error


def first_line(error: ValidationError) -> str:
    """What is wrong first, without pydantic's ornaments."""
    first = error.errors()[0]
    return str(first.get("ctx", {}).get("error", first["msg"]))


# Around every command: TensorFlow quiet, progress on stderr, errors as one line.


CHECK_FAILED, WRONG_USE, LACKING = 1, 2, 3
_EXIT_CODES: dict[type[Exception], int] = {
    BackboneError: WRONG_USE,
    DataError: WRONG_USE,
    FitError: WRONG_USE,
    SearchError: WRONG_USE,
    StorageError: LACKING,
    TargetError: WRONG_USE,
    RegressionError: CHECK_FAILED,
    PromotionError: CHECK_FAILED,
    QuantisationError: CHECK_FAILED,
    ParityError: CHECK_FAILED,
    BundleError: CHECK_FAILED,
}
_TRAIN_PACKAGES = {
    "tensorflow",
    "keras",
    "tensorflow_hub",
    "pkg_resources",
    "optuna",
    "jinja2",
    "matplotlib",
    "scipy",
    "sklearn",
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

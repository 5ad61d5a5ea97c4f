"""Options and settings that several commands share, and the session around each command."""

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
from listener.validation import first_problem
from trainer import errors
from trainer.config import LabelsOfAClip
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
    typer.Option(help="Labels of a clip. Default: one, unless a clip has several."),
]
HopOption = Annotated[float, typer.Option(help="Seconds from one patch to the next.")]
RequiredLabelsOption = Annotated[
    list[str] | None,
    typer.Option(
        help="A label that the station listens for, of a group each member; may be repeated. "
        "The others are not checked. Default: all."
    ),
]
CacheOption = Annotated[Path, typer.Option(help="Embeddings of earlier runs.")]

CHECK_FAILED, WRONG_USE, NOT_AVAILABLE = 1, 2, 3  # exit codes
_EXIT_CODES: dict[type[Exception], int] = {
    errors.BackboneError: WRONG_USE,
    errors.DataError: WRONG_USE,
    errors.FitError: WRONG_USE,
    errors.SearchError: WRONG_USE,
    errors.StorageError: NOT_AVAILABLE,
    errors.TargetError: WRONG_USE,
    errors.RegressionError: CHECK_FAILED,
    errors.CalibrationError: CHECK_FAILED,
    errors.PromotionError: CHECK_FAILED,
    errors.QuantisationError: CHECK_FAILED,
    errors.ParityError: CHECK_FAILED,
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

ACTIVATIONS: dict[LabelsOfAClip | None, Activation | None] = {
    None: None,  # as the clips are
    "one": "softmax",
    "many": "sigmoid",
}


def features_with_hop(hop: float) -> FeatureParams:
    """The front end with this patch hop, in seconds.

    Raises:
        typer.BadParameter: the hop is not a whole number of frames.
    """
    try:
        return FeatureParams(patch_hop_seconds=hop)
    except ValidationError as error:
        raise typer.BadParameter(first_problem(error).message, param_hint="--hop") from error


def choose_preprocessing(
    features: FeatureParams, high_pass_hz: float | None, level_dbfs: float | None
) -> Preprocessing | None:
    """The preprocessing of these options; None if none is set.

    Raises:
        typer.BadParameter: the cutoff or the level is out of the front end's range.
    """
    if high_pass_hz is None and level_dbfs is None:
        return None
    try:
        wanted = Preprocessing(high_pass_hz, level_dbfs)
        return replace(features, preprocessing=wanted).preprocessing
    except ValidationError as error:
        raise typer.BadParameter(first_problem(error).message) from error


@contextmanager
def session() -> Iterator[None]:
    """Run a command: quiet TensorFlow, progress on stderr, errors that the user can fix as one line."""
    # read when TensorFlow and Keras are imported: log only errors, and ignore keras.json
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
        raise failure(message, NOT_AVAILABLE) from error


def failure(message: str, exit_code: int) -> typer.Exit:
    """Print one line on stderr; returns what to raise."""
    typer.echo(f"trainer: {' '.join(message.split())}", err=True)
    return typer.Exit(exit_code)

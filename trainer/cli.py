"""The trainer's commands. Nothing here imports TensorFlow until a command needs it.

Exit codes: 0 done, 1 a check failed, 2 wrong use, 3 the installation lacks what the command needs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from listener.detection.bundle import BundleError
from listener.detection.params import FeatureParams
from trainer.config import YAMNET_HANDLE, Storage
from trainer.errors import BackboneError, ParityError, TargetError
from trainer.terminal import log_progress, quiet_stderr

CHECK_FAILED, WRONG_USE, LACKING = 1, 2, 3
_EXIT_CODES: dict[type[Exception], int] = {
    BackboneError: WRONG_USE,
    TargetError: WRONG_USE,
    ParityError: CHECK_FAILED,
    BundleError: CHECK_FAILED,
}
_TRAIN_PACKAGES = {"tensorflow", "keras", "tensorflow_hub", "pkg_resources"}

app = typer.Typer(
    help="Teaches the listener new sounds.",
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _commands() -> None:
    """Keeps `backbone` a command of its own while it is the only one."""


@app.command(epilog="Example: trainer backbone --out models/yamnet")
def backbone(
    out: Annotated[Path, typer.Option(help="Where the bundle goes; an older bundle is replaced.")],
    handle: Annotated[
        str, typer.Argument(help="TF Hub URL or directory of YAMNet's SavedModel.")
    ] = YAMNET_HANDLE,
    storage: Annotated[
        Storage,
        typer.Option(help="How the weights are kept; float16 only if its scores agree."),
    ] = "float32",
    hop: Annotated[float, typer.Option(help="Seconds from one patch to the next.")] = 0.48,
) -> None:
    """Make a bundle of YAMNet's 521 AudioSet classes; its path goes to stdout."""
    features = _features(hop)
    with _session():
        from trainer.backbone import make_backbone_bundle  # noqa: PLC0415 - imports TensorFlow

        bundle = make_backbone_bundle(handle, out, features, storage)
    typer.echo(bundle.path)


def _features(hop: float) -> FeatureParams:
    try:
        return FeatureParams(patch_hop_seconds=hop)
    except ValidationError as error:
        message = str(error.errors()[0]["ctx"]["error"])
        raise typer.BadParameter(message, param_hint="--hop") from error


@contextmanager
def _session() -> Iterator[None]:
    """Errors that a user can mend become one line and an exit code; others stay tracebacks."""
    # both are read when TensorFlow and Keras are imported: errors only, and whatever keras.json says
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    try:
        with quiet_stderr(expected=(*_EXIT_CODES, ModuleNotFoundError)):
            log_progress()
            yield
    except tuple(_EXIT_CODES) as error:
        raise _failure(str(error), _EXIT_CODES[type(error)]) from error
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _TRAIN_PACKAGES:
            raise
        message = f"{package} is not installed: pip install 'earshot[train]'"
        raise _failure(message, LACKING) from error


def _failure(message: str, exit_code: int) -> typer.Exit:
    typer.echo(f"trainer: {' '.join(message.split())}", err=True)
    return typer.Exit(exit_code)


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit code."""
    command = typer.main.get_command(app)
    try:
        code: int | None = command.main(arguments, prog_name="trainer", standalone_mode=False)
    except typer.TyperException as error:
        return _failure(error.format_message().replace("Value error, ", ""), WRONG_USE).exit_code
    return code or 0

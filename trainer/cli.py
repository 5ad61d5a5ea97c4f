"""The trainer's commands. Nothing here imports TensorFlow until a command needs it.

Exit codes: 0 done, 1 a check failed, 2 wrong use, 3 the installation lacks what the command needs.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from listener.detection.bundle import BundleError
from listener.detection.params import FeatureParams
from trainer.config import EMBEDDING_CACHE, YAMNET_HANDLE, LabelsOfAClip, Storage
from trainer.errors import BackboneError, DataError, FitError, ParityError, TargetError
from trainer.model.settings import Activation, FitSettings
from trainer.teaching.lesson import Lesson
from trainer.terminal import log_progress, quiet_stderr

CHECK_FAILED, WRONG_USE, LACKING = 1, 2, 3
_EXIT_CODES: dict[type[Exception], int] = {
    BackboneError: WRONG_USE,
    DataError: WRONG_USE,
    FitError: WRONG_USE,
    TargetError: WRONG_USE,
    ParityError: CHECK_FAILED,
    BundleError: CHECK_FAILED,
}
_ACTIVATIONS: dict[LabelsOfAClip | None, Activation | None] = {
    None: None,  # as the clips are
    "one": "softmax",
    "many": "sigmoid",
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


@app.command(epilog="Example: trainer fit --data ESC-50/meta/esc50.csv --out models/my-sounds")
def fit(
    data: Annotated[
        list[Path],
        typer.Option(help="ESC-50's CSV, a folder per class, or spans; may be repeated."),
    ],
    out: Annotated[Path, typer.Option(help="Where the bundle goes; an older bundle is replaced.")],
    backbone: Annotated[
        str, typer.Option(help="TF Hub URL or directory: YAMNet, VGGish, or a bundle.")
    ] = YAMNET_HANDLE,
    folds: Annotated[
        list[int] | None, typer.Option(help="Learn from this fold; may be repeated. Default: all.")
    ] = None,
    validation: Annotated[
        int | None, typer.Option(help="The fold of them that says when to stop. Default: the last.")
    ] = None,
    thaw: Annotated[int, typer.Option(help="YAMNet's last blocks that learn too, 0 to 14.")] = 0,
    hidden: Annotated[int, typer.Option(help="Units of a dense layer; 0: a linear head.")] = 0,
    dropout: Annotated[float, typer.Option(help="Share of dropout before the last layer.")] = 0.0,
    copies: Annotated[int, typer.Option(help="Varied copies of each clip.")] = 2,
    background: Annotated[
        bool,
        typer.Option(
            "--background/--no-background",
            help="Learn noise, silence and quiet parts as none of the classes.",
        ),
    ] = True,
    rate: Annotated[float, typer.Option(help="Learning rate.")] = 2e-3,
    epochs: Annotated[int, typer.Option(help="At most.")] = 20,
    labels: Annotated[
        LabelsOfAClip | None,
        typer.Option(help="Of a clip; default: one, unless a clip has several."),
    ] = None,
    hop: Annotated[float, typer.Option(help="Seconds from one patch to the next.")] = 0.24,
    storage: Annotated[Storage, typer.Option(help="How the weights are kept.")] = "float32",
    cache: Annotated[Path, typer.Option(help="Embeddings of earlier runs.")] = EMBEDDING_CACHE,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bundle.")] = 0,
) -> None:
    """Learn the classes of data sets; the path of the bundle goes to stdout."""
    features = _features(hop)
    fit_settings = {
        "thawing": {"blocks": thaw},
        "head": {"hidden": hidden, "dropout": dropout},
        "learning_rate": rate,
        "max_epochs": epochs,
        "seed": seed,
    }
    lesson = _lesson(fit_settings, copies=copies, background=background, seed=seed)
    with _session():
        from trainer.teaching.fit_bundle import FitRequest, fit_bundle  # noqa: PLC0415 - TensorFlow

        request = FitRequest(
            data=tuple(data),
            out=out,
            backbone=backbone,
            cache=cache,
            lesson=lesson,
            patch_hop_seconds=features.patch_hop_seconds,
            folds=tuple(folds or ()),
            validation_fold=validation,
            activation=_ACTIVATIONS[labels],
            storage=storage,
        )
        bundle = fit_bundle(request)
    typer.echo(bundle.path)


@app.command(epilog="Example: trainer soundscape --out scenes --scenes 20 --seed 1")
def soundscape(
    out: Annotated[Path, typer.Option(help="A new folder for the scenes.")],
    scenes: Annotated[int, typer.Option(min=1, help="How many scenes.")] = 20,
    hours: Annotated[
        float | None, typer.Option(min=0.001, help="Hours of audio, in place of --scenes.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1.0, help="Length of a scene.")] = 30.0,
    sounds: Annotated[int, typer.Option(min=0, help="Sounds in a scene; 0: background.")] = 2,
    snr: Annotated[float, typer.Option(help="Of each sound over the background, dB.")] = 10.0,
    reverb: Annotated[float, typer.Option(min=0.0, help="Longest reverb (RT60), s.")] = 0.3,
    clips: Annotated[
        Path | None, typer.Option(help="More sounds: a folder of clips for each label.")
    ] = None,
    backgrounds: Annotated[
        Path | None, typer.Option(help="A folder of backgrounds, in place of noise.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same audio.")] = 0,
) -> None:
    """Write generated scenes with their ground truth; the path of its CSV goes to stdout."""
    with _session():
        from trainer.soundscape import (  # noqa: PLC0415 - reads audio
            make_programme,
            write_soundscapes,
        )

        programme = make_programme(seconds, sounds, snr, reverb, clips, backgrounds)
        count = scenes if hours is None else math.ceil(hours * 3600 / seconds)
        truth = write_soundscapes(out, programme, count, seed)
    typer.echo(truth)


@app.command(
    epilog="Example: trainer starter --esc10 ESC-10 --teacher models/yamnet --out models/starter"
)
def starter(
    esc10: Annotated[Path, typer.Option(help="The folder with esc10.csv and audio/.")],
    teacher: Annotated[Path, typer.Option(help="YAMNet's bundle, of `trainer backbone`.")],
    out: Annotated[Path, typer.Option(help="Where the bundle goes; an older one is replaced.")],
    strips: Annotated[int, typer.Option(min=10, help="Strips of 5.3 s to learn from.")] = 8000,
    epochs: Annotated[int, typer.Option(min=1, help="Times that each is learnt from.")] = 6,
    minutes: Annotated[int, typer.Option(min=1, help="Audio that is measured on.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bundle.")] = 0,
) -> None:
    """Train the bundle that ships with the listener; its path goes to stdout."""
    with _session():
        from trainer.starter.make import Recipe, make_starter_bundle  # noqa: PLC0415 - TensorFlow

        recipe = Recipe(strip_count=strips, epochs=epochs, minutes=minutes, seed=seed)
        bundle = make_starter_bundle(esc10, teacher, out, recipe)
    typer.echo(bundle.path)


def _lesson(fit: dict[str, Any], *, copies: int, background: bool, seed: int) -> Lesson:
    try:
        return Lesson(fit=FitSettings(**fit), copies=copies, background=background, seed=seed)
    except ValidationError as error:
        raise typer.BadParameter(_first_line(error)) from error


def _features(hop: float) -> FeatureParams:
    try:
        return FeatureParams(patch_hop_seconds=hop)
    except ValidationError as error:
        raise typer.BadParameter(_first_line(error), param_hint="--hop") from error


def _first_line(error: ValidationError) -> str:
    first = error.errors()[0]
    return str(first.get("ctx", {}).get("error", first["msg"]))


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

"""The trainer's commands. Nothing here imports TensorFlow until a command needs it."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from trainer.commands.backbone import backbone
from trainer.commands.calibrate import calibrate
from trainer.commands.evaluate import evaluate
from trainer.commands.fit import fit
from trainer.commands.search import search
from trainer.commands.session import WRONG_USE, failure
from trainer.commands.shrink import shrink
from trainer.commands.soundscape import soundscape
from trainer.commands.starter import starter

app = typer.Typer(
    help="Teaches the listener new sounds.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command(epilog="Example: trainer backbone --out models/yamnet")(backbone)
app.command(epilog="Example: trainer fit --data ESC-50/meta/esc50.csv --out models/my-sounds")(fit)
app.command(epilog="Example: trainer search --data ESC-50/meta/esc50.csv --trials 50 --out found")(
    search
)
app.command(
    epilog="Example: trainer calibrate models/my-sounds --data ESC-50/meta/esc50.csv --folds 4 "
    "--ambient hall.flac --false-alarms-per-day 1"
)(calibrate)
app.command(epilog="Example: trainer evaluate models/my-sounds --data ESC-50/meta/esc50.csv")(
    evaluate
)
app.command(
    epilog="Example: trainer shrink models/my-sounds --data ESC-50/meta/esc50.csv --out models/small"
)(shrink)
app.command(epilog="Example: trainer soundscape --out scenes --scenes 20 --seed 1")(soundscape)
app.command(
    epilog="Example: trainer starter --esc10 ESC-10 --teacher models/yamnet --out models/starter"
)(starter)


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit code."""
    command = typer.main.get_command(app)
    try:
        code: int | None = command.main(arguments, prog_name="trainer", standalone_mode=False)
    except typer.TyperException as error:
        return failure(error.format_message().replace("Value error, ", ""), WRONG_USE).exit_code
    return code or 0

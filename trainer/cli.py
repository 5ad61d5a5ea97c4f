"""The trainer's command line. TensorFlow is imported only when a command needs it."""

from collections.abc import Sequence

import typer

from listener.process import escape_output
from trainer.commands.bundles import backbone, export, shrink, starter
from trainer.commands.clip_search import replay, similar, soundscape
from trainer.commands.common import WRONG_USE, failure
from trainer.commands.evaluate import calibrate, evaluate
from trainer.commands.fit import fit
from trainer.commands.promote import promote, rollback
from trainer.commands.retrain import retrain
from trainer.commands.search import search

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
app.command(epilog="Example: trainer export models/current --serving model-repository")(export)
app.command(
    epilog="Example: trainer retrain --clips /var/lib/earshot/clips --base models/current "
    "--out candidates/my-sounds"
)(retrain)
app.command(
    epilog="Example: trainer promote candidates/my-sounds --models models "
    "--clips /var/lib/earshot/clips"
)(promote)
app.command(epilog="Example: trainer rollback --models models")(rollback)
app.command(
    epilog="Example: trainer replay --clips /var/lib/earshot/clips --bundle models/current "
    "--against candidates/my-sounds --since 7d"
)(replay)
app.command(
    epilog="Example: trainer similar 01JD9Z6T3W8Q5V1N2M4K7B0C9E --clips /var/lib/earshot/clips"
)(similar)
app.command(epilog="Example: trainer soundscape --out scenes --scenes 20 --seed 1")(soundscape)
app.command(
    epilog="Example: trainer starter --esc10 ESC-10 --teacher models/yamnet --out models/starter"
)(starter)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    escape_output()
    command = typer.main.get_command(app)
    try:
        code: int | None = command.main(arguments, prog_name="trainer", standalone_mode=False)
    except typer.TyperException as error:
        return failure(error.format_message().replace("Value error, ", ""), WRONG_USE).exit_code
    return code or 0

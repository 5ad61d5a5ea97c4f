"""What a person sees on stderr: our own log lines, progress bars and tables, no native output."""

import contextlib
import faulthandler
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from rich import progress
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]  # clips done, clips in all
ReportClips = Callable[[str], Progress]  # the name of a pass over clips -> its progress

_TABLE_WIDTH = 100  # characters, where no terminal gives a width


@contextlib.contextmanager
def quiet_stderr(expected: tuple[type[BaseException], ...]) -> Iterator[None]:
    """Hold back what native code writes to stderr; show it if the block raises an unexpected error.

    TF_CPP_MIN_LOG_LEVEL is not enough: TensorFlow 2.21 writes some lines before it reads it.
    `sys.stderr` keeps working, and stdout is kept for the result: a stray print goes to stderr.
    """
    with tempfile.TemporaryFile() as held, _redirected(held):
        faulthandler.enable(sys.stderr)  # a crash in native code still shows where
        try:
            with contextlib.redirect_stdout(sys.stderr):
                yield
        except expected:
            raise
        except BaseException:
            held.seek(0)
            shutil.copyfileobj(held, sys.stderr.buffer)
            raise
        finally:
            faulthandler.disable()


@contextlib.contextmanager
def _redirected(held: BinaryIO) -> Iterator[None]:
    """File descriptor 2 writes into `held`; `sys.stderr` still to where it wrote before."""
    sys.stderr.flush()
    with os.fdopen(os.dup(2), "w", buffering=1) as terminal, contextlib.redirect_stderr(terminal):
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal.fileno(), 2)


def log_progress() -> None:
    """Log the trainer's INFO lines on stderr, and only errors of everything else."""
    logging.basicConfig(level=logging.ERROR, format="%(message)s", stream=sys.stderr, force=True)
    logging.getLogger("trainer").setLevel(logging.INFO)
    for chatty in ("tensorflow", "absl"):
        logging.getLogger(chatty).setLevel(logging.ERROR)


@contextlib.contextmanager
def clips_bar() -> Iterator[ReportClips]:
    """Progress bars of passes over clips, each with its name in the log."""
    with progress_bar() as bar:

        def begin(what: str) -> Progress:
            log.info("%s", what)
            task = bar.add_task(what, total=None, figures="")
            return lambda done, total: bar.update(task, completed=done, total=total)

        yield begin


def progress_bar() -> progress.Progress:
    """A bar on stderr, removed when it is done; invisible in a file or a pipe."""
    console = Console(file=sys.stderr)
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[figures]}"),
    )
    disable = not console.is_terminal
    return progress.Progress(*columns, console=console, transient=True, disable=disable)


def show_table(heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> None:
    """Print a table on stderr."""
    table = Table(*heads, box=SIMPLE_HEAD)
    for row in rows:
        table.add_row(*row)
    width = None if sys.stderr.isatty() else _TABLE_WIDTH
    Console(file=sys.stderr, width=width).print(table)

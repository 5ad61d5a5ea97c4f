"""What a person sees on stderr: our own lines and tables, not those of TensorFlow's C++."""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

log = logging.getLogger(__name__)

OnClip = Callable[[int, int], None]  # clips done, clips in all
_WIDTH = 100  # of a table, where no terminal says how wide it is


@contextlib.contextmanager
def quiet_stderr(expected: tuple[type[BaseException], ...]) -> Iterator[None]:
    """Hold back what native code writes to stderr; show it if the block fails as not `expected`.

    TF_CPP_MIN_LOG_LEVEL alone does not do it: TensorFlow 2.21 writes some lines before it reads it.
    `sys.stderr` keeps working, and stdout is kept for the machine: a stray print goes to stderr.
    """
    with tempfile.TemporaryFile() as held, _redirected(held):
        faulthandler.enable(sys.stderr)  # a crash in native code still says where
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
    """INFO lines of the trainer on stderr, errors only of everything else."""
    logging.basicConfig(level=logging.ERROR, format="%(message)s", stream=sys.stderr, force=True)
    logging.getLogger("trainer").setLevel(logging.INFO)
    for chatty in ("tensorflow", "absl"):
        logging.getLogger(chatty).setLevel(logging.ERROR)


@contextlib.contextmanager
def clips_bar() -> Iterator[Callable[[str], OnClip]]:
    """Progress bars of passes over clips: call it with a name to get the bar's `OnClip`."""
    with progress_bar() as bar:

        def begin(what: str) -> OnClip:
            log.info("%s", what)
            task = bar.add_task(what, total=None, figures="")
            return lambda done, total: bar.update(task, completed=done, total=total)

        yield begin


def progress_bar() -> Progress:
    """On stderr, removed when it is done; there is none in a file or a pipe."""
    console = Console(file=sys.stderr)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )  # fmt: skip
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def show_table(heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> None:
    """A table on stderr."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - `--help` shows no table
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(*heads, box=SIMPLE_HEAD)
    for row in rows:
        table.add_row(*row)
    width = None if sys.stderr.isatty() else _WIDTH
    Console(file=sys.stderr, width=width).print(table)

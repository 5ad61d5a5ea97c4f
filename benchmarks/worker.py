"""Programs that are measured beside the station, each in a process of its own.

A worker says `ready`, then answers each line on its standard input (for how many seconds to work)
with the core-milliseconds that a second of audio cost it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from benchmarks.materials import ROOT


class Worker:
    """A running worker; it uses no CPU time between questions."""

    def __init__(self, questions: IO[str], answers: IO[str], name: str) -> None:
        self._questions, self._answers, self._name = questions, answers, name
        self._expect("ready")

    def measure(self, seconds: float) -> float:
        """Core-milliseconds (all threads) per second of audio, over `seconds` of work.

        Raises:
            RuntimeError: the worker has ended.
        """
        print(seconds, file=self._questions, flush=True)
        return float(self._answer())

    def _answer(self) -> str:
        line = self._answers.readline()
        if not line:
            raise RuntimeError(f"{self._name}: the worker has ended; its error is above")
        return line.strip()

    def _expect(self, word: str) -> None:
        answer = self._answer()
        if answer != word:
            raise RuntimeError(f"{self._name}: expected {word!r}, got {answer!r}")


@contextmanager
def running_worker(module: str, *arguments: object, python: Path | None = None) -> Iterator[Worker]:
    """`python -m module arguments...`, ready to work; `python` None: this one."""
    process = subprocess.Popen(
        [str(python or sys.executable), "-m", module, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("expected pipes to the worker")
        yield Worker(process.stdin, process.stdout, module)
    finally:
        process.kill()
        process.communicate()


def serve(step: Callable[[], float]) -> None:
    """The worker's side: `step` does some work and gives the seconds of audio it was."""
    print("ready", flush=True)
    for line in sys.stdin:
        print(_core_ms_per_second(step, float(line)), flush=True)


def _core_ms_per_second(step: Callable[[], float], seconds: float) -> float:
    audio_seconds = 0.0
    deadline = time.monotonic() + seconds
    began = time.process_time()  # of all threads of this process
    while time.monotonic() < deadline:
        audio_seconds += step()
    return (time.process_time() - began) * 1000 / audio_seconds

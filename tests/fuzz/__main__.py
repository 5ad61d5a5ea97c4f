"""Fuzz the targets with atheris, guided by coverage: `python -m tests.fuzz [SECONDS] [TARGET...]`.

Needs `pip install 'earshot[fuzz]'`. Each target gets so many seconds; what it had tried is printed, and an
input that broke something is kept in `build/fuzz/`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS, run_target
from tests.shared import ROOT

_KEPT = ROOT / "build" / "fuzz"
_HANG_SECONDS = 20
_MEMORY_MB = 2048
_DEFAULT_SECONDS = 60


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one target in this process, which libFuzzer ends."""
    import atheris  # noqa: PLC0415 - for those who fuzz

    with atheris.instrument_imports(include=["listener"]):
        run_target(name, seeds(name)[0])  # imports what is imported late
    corpus = _KEPT / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(name)):
        (corpus / f"seed{number}").write_bytes(seed)
    options = [
        f"-max_total_time={seconds}",
        f"-timeout={_HANG_SECONDS}",
        f"-rss_limit_mb={_MEMORY_MB}",
        f"-artifact_prefix={_KEPT}/{name}-",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], lambda content: run_target(name, content))
    atheris.Fuzz()


def _in_memory() -> dict[str, str]:
    """Thousands of stores a minute are too much for a disk that is asked to keep each."""
    return os.environ | ({"TMPDIR": "/dev/shm"} if Path("/dev/shm").is_dir() else {})


def main(seconds: int, names: list[str]) -> int:
    """Fuzz targets one after the other; how many of them broke."""
    broken = 0
    for name in names:
        program = f"from tests.fuzz.__main__ import fuzz; fuzz({name!r}, {seconds})"
        ran = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            capture_output=True,
            check=False,
            env=_in_memory(),
        )
        said = ran.stderr.decode("utf-8", "replace")
        tried = re.search(r"number_of_executed_units: (\d+)", said)
        end = "BROKEN" if ran.returncode else "ok"
        sys.stdout.write(f"{name:13} {tried[1] if tried else '?':>9} inputs  {end}\n")
        sys.stdout.flush()
        if ran.returncode:
            Path(_KEPT / f"{name}.log").write_text(said)
            broken += 1
    return broken


if __name__ == "__main__":
    given = sys.argv[1:]
    seconds_each = int(given.pop(0)) if given and given[0].isdigit() else _DEFAULT_SECONDS
    sys.exit(1 if main(seconds_each, given or list(TARGETS)) else 0)

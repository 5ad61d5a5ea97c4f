"""Writes what users and other programs rely on into a folder, to be compared by `diff -r`.

    python -m tests.contracts OUT_DIR [--shared DIR]

Run it from the root of a tree. Needs Mosquitto and what the extra `dev` installs.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.contracts.bundles import dump_search, dump_starter, dump_training
from tests.contracts.commands import dump_commands, dump_wrong_uses
from tests.contracts.dump import Dump
from tests.contracts.offline import (
    dump_bench,
    dump_check,
    dump_demo,
    dump_engines,
    dump_evaluation,
    dump_replay,
    dump_soundscapes,
    dump_stdin,
)
from tests.contracts.settings import dump_settings
from tests.contracts.station import dump_remote_metrics, dump_station

Part = Callable[[Dump], None]
# the parts of a lane run one after the other, the lanes beside each other
_LANES: list[dict[str, Part]] = [
    {"training": dump_training},
    {
        "cli": dump_commands,
        "wrong_uses": dump_wrong_uses,
        "config": dump_settings,
        "soundscapes": dump_soundscapes,
        "replay": dump_replay,
        "engines": dump_engines,
        "starter": dump_starter,
        "evaluation": dump_evaluation,
    },
    {
        "station": dump_station,
        "remote": dump_remote_metrics,
        "stdin": dump_stdin,
        "demo": dump_demo,
        "check": dump_check,
        "bench": dump_bench,
        "search": dump_search,
    },
]


def main(arguments: Sequence[str]) -> int:
    """The number of parts that failed; each says so in its folder's FAILED.txt."""
    parser = argparse.ArgumentParser(prog="python -m tests.contracts")
    parser.add_argument("out", type=Path)
    parser.add_argument("--shared", type=Path, help="the developers' models and recordings")
    parser.add_argument("--only", action="append", help="this part; may be repeated")
    chosen = parser.parse_args(arguments)
    shutil.rmtree(chosen.out, ignore_errors=True)
    shared = None if chosen.shared is None else chosen.shared.resolve()
    with ThreadPoolExecutor(len(_LANES)) as pool:
        run = partial(_run_lane, chosen.out.resolve(), shared, chosen.only)
        return sum(pool.map(run, _LANES))


def _run_lane(out: Path, shared: Path | None, only: list[str] | None, lane: dict[str, Part]) -> int:
    wanted = [name for name in lane if only is None or name in only]
    return sum(_failed(name, lane[name], out / name, shared) for name in wanted)


def _failed(name: str, part: Part, out: Path, shared: Path | None) -> bool:
    begun = time.monotonic()
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="contracts-") as work:
        dump = Dump(out, Path(work), shared)
        try:
            part(dump)
        except Exception:  # noqa: BLE001 - whatever it is, it is in the files that are compared
            dump.text("FAILED.txt", traceback.format_exc())
    failed = (out / "FAILED.txt").exists()
    sys.stderr.write(
        f"{name}: {'FAILED' if failed else 'done'} in {time.monotonic() - begun:.1f} s\n"
    )
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

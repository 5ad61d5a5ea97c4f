"""A real PostgreSQL server on a free port, thrown away with its data."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.rigs.mosquitto import free_port, wait_until

_ROLE = "earshot"
_START_SECONDS = 30.0


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database; skips where PostgreSQL is not installed."""
    programs = _find_programs()
    # not pytest's folder: another user, whom the server needs, may not enter that
    with tempfile.TemporaryDirectory(prefix="earshot-postgres-") as name:
        folder, port = Path(name), free_port()
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        make: list[str | Path] = [
            programs / "initdb",
            "--no-sync",
            "-A",
            "trust",
            "-U",
            _ROLE,
            "-D",
            folder / "data",
        ]
        subprocess.run(_as_postgres(*make), check=True, capture_output=True, cwd=folder)
        serve: list[str | Path] = [
            programs / "postgres",
            "-F",
            "-D",
            folder / "data",
            "-k",
            folder,
            "-p",
            str(port),
        ]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                _as_postgres(*serve, "-h", "127.0.0.1"), stdout=log, stderr=log, cwd=folder
            )
        try:
            _wait_until_ready(programs / "pg_isready", port)
            yield f"postgresql://{_ROLE}@127.0.0.1:{port}/postgres"
        finally:
            server.terminate()  # a smart shutdown would wait for clients that were stopped
            server.kill()
            server.wait()


def _find_programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    return found[-1].parent if found else Path(str(on_path)).parent


def _as_postgres(*command: str | Path) -> list[str]:
    """The server refuses to run as root."""
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    return [*(user if os.geteuid() == 0 else []), *map(str, command)]


def _wait_until_ready(is_ready: Path, port: int) -> None:
    command = [str(is_ready), "-q", "-h", "127.0.0.1", "-p", str(port)]
    wait_until(
        lambda: subprocess.run(command, check=False).returncode == 0,
        _START_SECONDS,
        "PostgreSQL takes connections",
    )

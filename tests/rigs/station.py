"""The real daemon as a process of its own, as a service manager would run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from tests.rigs.mosquitto import wait_until

LISTENER = [sys.executable, "-m", "listener"]


def write_toml(path: Path, document: Mapping[str, Any]) -> Path:
    """The settings as a config file; tables, arrays of tables and plain values."""
    lines = [f"{key} = {_plain(value)}" for key, value in document.items() if not _is_table(value)]
    for key, value in document.items():
        tables = value if isinstance(value, list) else [value]
        if _is_table(value):
            bracket = f"[[{key}]]" if isinstance(value, list) else f"[{key}]"
            for table in tables:
                lines += [bracket, *(f"{name} = {_plain(item)}" for name, item in table.items())]
    path.write_text("\n".join(lines) + "\n")
    return path


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and isinstance(value[0], dict))


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_plain(item)}" for name, item in value.items()) + " }"
    return json.dumps(str(value) if isinstance(value, Path) else value)


class StationProcess:
    """`listener run` with a config; stdout and stderr go to files."""

    def __init__(
        self,
        directory: Path,
        config: Mapping[str, Any],
        environment: Mapping[str, str],
        **pipes: Any,
    ) -> None:
        self._directory = directory
        path = write_toml(directory / "config.toml", config)
        with (directory / "stdout").open("wb") as out, (directory / "stderr").open("wb") as err:
            self.process = subprocess.Popen(
                [*LISTENER, "run", "--config", str(path)],
                stdout=out,
                stderr=err,
                env={**os.environ, **environment},
                **pipes,
            )

    @property
    def log(self) -> str:
        """What it wrote to stderr so far."""
        return (self._directory / "stderr").read_text()

    @property
    def output(self) -> str:
        """What it wrote to stdout so far."""
        return (self._directory / "stdout").read_text()

    def wait_for_log(self, text: str, seconds: float = 20.0) -> None:
        """Wait until a line with that text was logged."""
        wait_until(lambda: text in self.log, seconds, f"{text!r} in the log:\n{self.log}")

    def stop(self, seconds: float = 10.0) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


@contextmanager
def running_station(
    directory: Path,
    config: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
    **pipes: Any,
) -> Iterator[StationProcess]:
    """A station that is killed at the end, if it still runs."""
    station = StationProcess(directory, config, environment or {}, **pipes)
    try:
        yield station
    finally:
        station.process.kill()
        station.process.wait()
        if station.process.stdin is not None:
            station.process.stdin.close()


def get(port: int, path: str) -> tuple[int, str]:
    """Status and body of a page of the station."""
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def metric(port: int, name: str) -> float | None:
    """The first value on /metrics whose line starts with that name and labels; None if there is none."""
    lines = get(port, "/metrics")[1].splitlines()
    values = [line.split()[-1] for line in lines if line.startswith(name)]
    return float(values[0]) if values else None

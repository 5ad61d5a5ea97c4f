"""A real Prometheus that scrapes a station."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from tests.rigs.mosquitto import free_port, wait_until


class Prometheus:
    """A running server."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}/api/v1/"

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples that a PromQL expression gives now; none while the server starts."""
        return self._ask("query", query=expression)

    def query_range(self, expression: str, seconds: float) -> list[dict[str, Any]]:
        """The series of an expression over the last seconds, a value a second."""
        now = time.time()
        return self._ask("query_range", query=expression, start=now - seconds, end=now, step=1)

    def _ask(self, what: str, **parameters: str | float) -> list[dict[str, Any]]:
        try:
            with urlopen(f"{self._address}{what}?{urlencode(parameters)}", timeout=5) as answer:
                return list(json.load(answer)["data"]["result"])
        except OSError:
            return []

    def wait_for(self, expression: str, seconds: float = 20.0) -> list[dict[str, Any]]:
        """The samples of the expression, as soon as there are any."""
        wait_until(lambda: bool(self.query(expression)), seconds, f"samples of {expression}")
        return self.query(expression)


@contextmanager
def prometheus(
    directory: Path, station_port: int, rules: Path | None = None
) -> Iterator[Prometheus]:
    """Scrapes the station at that port once a second; skips where Prometheus is not installed."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed (Debian: prometheus)")
    config = directory / "prometheus.yml"
    config.write_text(
        "global: {evaluation_interval: 1s}\n"
        f"rule_files: {[] if rules is None else [str(rules)]}\n"
        "scrape_configs:\n- job_name: earshot\n  scrape_interval: 1s\n  static_configs:\n"
        f"  - targets: ['127.0.0.1:{station_port}']\n"
    )
    port = free_port()
    with (directory / "prometheus.log").open("wb") as log:
        server = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={directory / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        yield Prometheus(port)
    finally:
        server.kill()
        server.wait()

"""A real MLServer over a model repository, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import TracebackType

import pytest
import urllib3

from tests.rigs.mosquitto import free_port, wait_until
from tests.shared import ROOT

PROGRAM = ROOT / ".venv-mlserver" / "bin" / "mlserver"
_START_SECONDS = 60.0


def need_mlserver() -> None:
    """Skip the test where MLServer is not installed."""
    if not PROGRAM.exists():
        pytest.skip("MLServer is not installed (make mlserver)")


class ModelServer:
    """A server of `repository`, run on entering; it can be killed and started again on the same ports."""

    def __init__(self, directory: Path, repository: Path) -> None:
        need_mlserver()
        self._directory, self._repository = directory, repository
        self._http_port, self._grpc_port, self._metrics_port = (free_port() for _ in range(3))
        self._log = directory / f"mlserver-{self._grpc_port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def grpc_url(self) -> str:
        """As the config has it."""
        return f"grpc://127.0.0.1:{self._grpc_port}"

    @property
    def http_url(self) -> str:
        """As the config has it."""
        return f"http://127.0.0.1:{self._http_port}"

    @property
    def log(self) -> str:
        """What the server has written so far."""
        return self._log.read_text()

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Run the server and wait until all models are loaded."""
        ports = {
            "MLSERVER_HOST": "127.0.0.1",
            "MLSERVER_HTTP_PORT": str(self._http_port),
            "MLSERVER_GRPC_PORT": str(self._grpc_port),
            "MLSERVER_METRICS_PORT": str(self._metrics_port),
        }
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(PROGRAM), "start", str(self._repository)],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._directory,
                env=os.environ | ports,
            )
        wait_until(self._ready, _START_SECONDS, f"MLServer is ready: {self._log}")

    def _ready(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"MLServer ended: {self.log}")
        try:
            url = f"{self.http_url}/v2/health/ready"
            answer = urllib3.request("GET", url, timeout=5.0, retries=False)
        except urllib3.exceptions.HTTPError:
            return False
        return answer.status == 200

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> ModelServer:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()

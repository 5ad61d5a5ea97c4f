"""The Open Inference Protocol over HTTP: tensors as bytes, or as JSON where a server takes no other."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import ServedModel
from listener.engines.engine import EngineError, Outputs
from listener.engines.remote.channel import Datatype, ServerError, ServerTimeoutError, Tensor
from listener.engines.remote.http_wire import (
    read_answer,
    request_in_bytes,
    request_in_json,
    split_answer,
)

_OK, _NOT_IMPLEMENTED = 200, 501


class RefusedError(ServerError):
    """The server answered, and it was no; `status` is HTTP's."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"HTTP {status}: {words}")
        self.status = status


class HttpChannel:
    """A `Channel` to a server at `url`, http:// or https://.

    Raises:
        EngineError: urllib3 is not installed.
    """

    def __init__(
        self, url: str, model: ServedModel, in_flight: int, *, ca_file: Path | None = None
    ) -> None:
        self._http = _import_urllib3()
        self._unversioned = f"{url}/v2/models/{model.name}"
        self._url = f"{self._unversioned}/versions/{model.version}"
        certificates = {} if ca_file is None else {"ca_certs": str(ca_file)}
        self._pool = self._http.PoolManager(maxsize=in_flight, retries=False, **certificates)
        self._takes_bytes: bool | None = None  # None: not known before the first answer

    def read_inputs(self, timeout_seconds: float) -> list[Tensor]:
        """The inputs of the model; see `Channel`."""
        metadata = self._read_metadata(timeout_seconds)
        try:
            inputs = [Tensor(each["name"], each["datatype"]) for each in metadata["inputs"]]
        except (KeyError, TypeError) as error:
            raise ServerError(f"expected metadata with inputs, got {metadata}"[:200]) from error
        return inputs

    def _read_metadata(self, timeout_seconds: float) -> Any:
        try:
            answer = self._ask("GET", self._url, timeout_seconds)
        except RefusedError as error:
            if error.status != _NOT_IMPLEMENTED:
                raise
            # KServe's own server knows no versions over HTTP; the name says which model it is
            self._url = self._unversioned
            answer = self._ask("GET", self._url, timeout_seconds)
        return split_answer(*answer)[0]

    def infer(
        self, patches: NDArray[np.float32], datatype: Datatype, timeout_seconds: float
    ) -> Outputs:
        """Scores and embeddings; see `Channel`."""
        if self._takes_bytes is not False:
            try:
                outputs = self._infer_bytes(patches, datatype, timeout_seconds)
            except RefusedError:
                if self._takes_bytes:
                    raise
            else:
                self._takes_bytes = True
                return outputs
        outputs = self._infer_json(patches, timeout_seconds)
        self._takes_bytes = False
        return outputs

    def _infer_bytes(
        self, patches: NDArray[np.float32], datatype: Datatype, timeout_seconds: float
    ) -> Outputs:
        request = request_in_bytes(patches, datatype)
        answer = self._ask("POST", f"{self._url}/infer", timeout_seconds, *request)
        return read_answer(*answer, len(patches))

    def _infer_json(self, patches: NDArray[np.float32], timeout_seconds: float) -> Outputs:
        request = request_in_json(patches)
        answer = self._ask("POST", f"{self._url}/infer", timeout_seconds, *request)
        return read_answer(*answer, len(patches))

    def _ask(
        self,
        method: str,
        url: str,
        timeout_seconds: float,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[Mapping[str, str], bytes]:
        errors = self._http.exceptions
        try:
            answer = self._pool.request(
                method,
                url,
                body=body,
                headers=headers,
                timeout=self._http.Timeout(total=timeout_seconds),
            )
        except errors.NewConnectionError as error:  # which is a TimeoutError, too
            raise ServerError(f"no connection: {error.__cause__ or error}") from error
        except errors.TimeoutError as error:
            raise ServerTimeoutError(f"no answer within {timeout_seconds:.1f} s") from error
        except errors.HTTPError as error:
            raise ServerError(f"{type(error).__name__}: {error}") from error
        if answer.status != _OK:
            words = " ".join(answer.data.decode(errors="replace").split())
            raise RefusedError(answer.status, words[:200])
        return answer.headers, answer.data


def _import_urllib3() -> ModuleType:
    try:
        return importlib.import_module("urllib3")
    except ModuleNotFoundError as error:
        raise EngineError(
            "the remote engine: urllib3 is not installed: pip install 'earshot[remote]'"
        ) from error

"""The Open Inference Protocol over HTTP: tensors as bytes, or as JSON where a server takes no other."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import ServedModel
from listener.engines.engine import EngineError, Outputs
from listener.engines.remote.channel import (
    EMBEDDINGS,
    PATCHES,
    SCORES,
    Datatype,
    ServerError,
    ServerTimeoutError,
    Tensor,
    read_outputs,
    wire_form,
)

HEADER_LENGTH = "Inference-Header-Content-Length"  # of the JSON
_JSON_PLACES = 3  # of log-mel: closer than float16, and a third of the text


# Requests and answers over HTTP: JSON, and after it the bytes of the tensors that are not in it.


_DTYPES = {"FP16": np.float16, "FP32": np.float32, "FP64": np.float64}


def request_in_bytes(
    patches: NDArray[np.float32], datatype: Datatype
) -> tuple[bytes, dict[str, str]]:
    """A request for scores, its tensor as bytes; body and headers."""
    content = wire_form(patches, datatype).tobytes()
    request = _request(patches, datatype, {"parameters": {"binary_data_size": len(content)}})
    head = json.dumps(request | {"parameters": {"binary_data_output": True}}).encode()
    headers = {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(head))}
    return head + content, headers


def request_in_json(patches: NDArray[np.float32]) -> tuple[bytes, dict[str, str]]:
    """A request for scores, all of it JSON, which has no float16; body and headers."""
    numbers = patches.astype(np.float64).round(_JSON_PLACES).ravel().tolist()
    body = json.dumps(_request(patches, "FP32", {"data": numbers})).encode()
    return body, {"Content-Type": "application/json"}


def _request(
    patches: NDArray[np.float32], datatype: Datatype, content: Mapping[str, Any]
) -> dict[str, Any]:
    tensor = {"name": PATCHES, "shape": list(patches.shape), "datatype": datatype, **content}
    return {"inputs": [tensor]}


def split_answer(headers: Mapping[str, str], body: bytes) -> tuple[Any, bytes]:
    """The JSON of an answer, and the bytes of the tensors after it.

    Raises:
        ServerError: it is something else.
    """
    try:
        length = int(headers.get(HEADER_LENGTH, len(body)))
        return json.loads(body[:length]), body[length:]
    except ValueError as error:
        raise ServerError(f"expected an answer in JSON: {error}") from error


def read_answer(headers: Mapping[str, str], body: bytes, patches: int) -> Outputs:
    """Scores and embeddings of so many patches.

    Raises:
        ServerError: they are not in the answer.
    """
    document, content = split_answer(headers, body)
    try:
        arrays = _arrays(document["outputs"], content)
    except (KeyError, TypeError, ValueError) as error:
        raise ServerError(f"expected an answer with outputs: {error!r}") from error
    return read_outputs(arrays.get(SCORES), arrays.get(EMBEDDINGS), patches)


def _arrays(outputs: list[dict[str, Any]], content: bytes) -> dict[str, NDArray[Any]]:
    arrays, start = {}, 0
    for output in outputs:
        dtype = _DTYPES[output["datatype"]]
        size = (output.get("parameters") or {}).get("binary_data_size")
        if size is None:
            array = np.array(output["data"], dtype)
        else:
            array = np.frombuffer(content[start : start + size], dtype)
            start += size
        arrays[output["name"]] = array.reshape(output["shape"])
    return arrays


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

"""The Open Inference Protocol over HTTP: tensors as bytes, or as JSON if a server takes no bytes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import ServedModel
from listener.engines.engine import Outputs, import_extra
from listener.engines.remote import channel

HEADER_LENGTH = "Inference-Header-Content-Length"  # of the JSON
_JSON_DIGITS = 3  # of log-mel after the point: closer than float16, and a third of the text
_DTYPES = {"FP16": np.float16, "FP32": np.float32, "FP64": np.float64}
_OK, _NOT_IMPLEMENTED = 200, 501

Request = tuple[bytes, dict[str, str]]  # body and headers


class RefusedError(channel.ServerError):
    """The server answered with another HTTP status than 200."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"HTTP {status}: {text}")
        self.status = status


class HttpChannel:
    """A `Channel` to a server at `url`, http:// or https://.

    Raises:
        EngineError: urllib3 is not installed.
    """

    def __init__(
        self, url: str, model: ServedModel, in_flight: int, *, ca_file: Path | None = None
    ) -> None:
        self._http: Any = import_extra("urllib3", "remote", "remote")
        self._unversioned = f"{url}/v2/models/{model.name}"
        self._url = f"{self._unversioned}/versions/{model.version}"
        certificates = {} if ca_file is None else {"ca_certs": str(ca_file)}
        self._pool = self._http.PoolManager(maxsize=in_flight, retries=False, **certificates)
        self._takes_bytes: bool | None = None  # None: unknown before the first answer

    def read_inputs(self, timeout_seconds: float) -> list[channel.Tensor]:
        """The inputs of the model; see `Channel`."""
        try:
            answer = self._ask("GET", self._url, timeout_seconds)
        except RefusedError as error:
            if error.status != _NOT_IMPLEMENTED:
                raise
            # KServe's own server has no versions over HTTP; the name says which model it is
            self._url = self._unversioned
            answer = self._ask("GET", self._url, timeout_seconds)
        metadata, _ = split_answer(*answer)
        try:
            return [channel.Tensor(each["name"], each["datatype"]) for each in metadata["inputs"]]
        except (KeyError, TypeError) as error:
            raise channel.ServerError(
                f"expected metadata with inputs, got {metadata}"[:200]
            ) from error

    def infer(
        self, patches: NDArray[np.float32], datatype: channel.Datatype, timeout_seconds: float
    ) -> Outputs:
        """Scores and embeddings; see `Channel`."""
        count = len(patches)
        if self._takes_bytes is not False:
            try:
                outputs = self._post(request_in_bytes(patches, datatype), count, timeout_seconds)
            except RefusedError:
                if self._takes_bytes:
                    raise
            else:
                self._takes_bytes = True
                return outputs
        outputs = self._post(request_in_json(patches), count, timeout_seconds)
        self._takes_bytes = False
        return outputs

    def _post(self, request: Request, patches: int, timeout_seconds: float) -> Outputs:
        answer = self._ask("POST", f"{self._url}/infer", timeout_seconds, *request)
        return read_answer(*answer, patches)

    def _ask(
        self,
        method: str,
        url: str,
        timeout_seconds: float,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[Mapping[str, str], bytes]:
        errors = self._http.exceptions
        timeout = self._http.Timeout(total=timeout_seconds)
        try:
            answer = self._pool.request(method, url, body=body, headers=headers, timeout=timeout)
        except errors.NewConnectionError as error:  # which is a TimeoutError, too
            raise channel.ServerError(f"no connection: {error.__cause__ or error}") from error
        except errors.TimeoutError as error:
            message = f"no answer within {timeout_seconds:.1f} s"
            raise channel.ServerTimeoutError(message) from error
        except errors.HTTPError as error:
            raise channel.ServerError(f"{type(error).__name__}: {error}") from error
        if answer.status != _OK:
            text = " ".join(answer.data.decode(errors="replace").split())
            raise RefusedError(answer.status, text[:200])
        return answer.headers, answer.data


def request_in_bytes(patches: NDArray[np.float32], datatype: channel.Datatype) -> Request:
    """A request for scores with its tensor as bytes."""
    content = channel.wire_form(patches, datatype).tobytes()
    request = _request(patches, datatype, {"parameters": {"binary_data_size": len(content)}})
    head = json.dumps(request | {"parameters": {"binary_data_output": True}}).encode()
    headers = {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(head))}
    return head + content, headers


def request_in_json(patches: NDArray[np.float32]) -> Request:
    """A request for scores, all in JSON, which has no float16."""
    numbers = patches.astype(np.float64).round(_JSON_DIGITS).ravel().tolist()
    body = json.dumps(_request(patches, "FP32", {"data": numbers})).encode()
    return body, {"Content-Type": "application/json"}


def _request(
    patches: NDArray[np.float32], datatype: channel.Datatype, content: Mapping[str, Any]
) -> dict[str, Any]:
    shape = list(patches.shape)
    tensor = {"name": channel.PATCHES, "shape": shape, "datatype": datatype, **content}
    return {"inputs": [tensor]}


def split_answer(headers: Mapping[str, str], body: bytes) -> tuple[Any, bytes]:
    """The JSON of an answer, and the bytes of the tensors after it.

    Raises:
        ServerError: it is not JSON.
    """
    try:
        length = int(headers.get(HEADER_LENGTH, len(body)))
        return json.loads(body[:length]), body[length:]
    except ValueError as error:
        raise channel.ServerError(f"expected an answer in JSON: {error}") from error


def read_answer(headers: Mapping[str, str], body: bytes, patches: int) -> Outputs:
    """The scores and embeddings of so many patches.

    Raises:
        ServerError: they are not in the answer.
    """
    document, content = split_answer(headers, body)
    arrays: dict[str, NDArray[Any]] = {}
    start = 0
    try:
        for output in document["outputs"]:
            dtype = _DTYPES[output["datatype"]]
            size = (output.get("parameters") or {}).get("binary_data_size")
            if size is None:
                array = np.array(output["data"], dtype)
            else:
                array = np.frombuffer(content[start : start + size], dtype)
                start += size
            arrays[output["name"]] = array.reshape(output["shape"])
    except (KeyError, TypeError, ValueError) as error:
        raise channel.ServerError(f"expected an answer with outputs: {error!r}") from error
    return channel.read_outputs(arrays.get(channel.SCORES), arrays.get(channel.EMBEDDINGS), patches)

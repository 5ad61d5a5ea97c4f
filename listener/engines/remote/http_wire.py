"""Requests and answers over HTTP: JSON, and after it the bytes of the tensors that are not in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from listener.engines.engine import Outputs
from listener.engines.remote.channel import (
    EMBEDDINGS,
    PATCHES,
    SCORES,
    Datatype,
    ServerError,
    read_outputs,
    wire_form,
)

HEADER_LENGTH = "Inference-Header-Content-Length"  # of the JSON
_JSON_PLACES = 3  # of log-mel: closer than float16, and a third of the text
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

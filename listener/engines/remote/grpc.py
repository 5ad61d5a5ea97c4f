"""The Open Inference Protocol over gRPC. The only file that imports tritonclient."""

from __future__ import annotations

import importlib
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

_LONGEST_MESSAGE_BYTES = 64 * 2**20


_CHANNEL_OPTIONS = [
    ("grpc.max_send_message_length", _LONGEST_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", _LONGEST_MESSAGE_BYTES),
    # else a new channel shares the back-off of one that failed before
    ("grpc.use_local_subchannel_pool", 1),
]


class GrpcChannel:
    """A `Channel` to `address`, host:port; `tls` checks the server's certificate.

    Raises:
        EngineError: tritonclient is not installed.
    """

    def __init__(
        self, address: str, model: ServedModel, *, tls: bool = False, ca_file: Path | None = None
    ) -> None:
        self._model = model
        self._grpc = _import_client()
        self._client = self._grpc.InferenceServerClient(
            address,
            ssl=tls,
            root_certificates=None if ca_file is None else str(ca_file),
            channel_args=_CHANNEL_OPTIONS,
        )

    def read_inputs(self, timeout_seconds: float) -> list[Tensor]:
        """The inputs of the model; see `Channel`."""
        try:
            metadata = self._client.get_model_metadata(
                self._model.name, self._model.version, client_timeout=timeout_seconds
            )
        except self._grpc.InferenceServerException as error:
            raise _server_error(error) from error
        return [Tensor(tensor.name, tensor.datatype) for tensor in metadata.inputs]

    def infer(
        self, patches: NDArray[np.float32], datatype: Datatype, timeout_seconds: float
    ) -> Outputs:
        """Scores and embeddings; see `Channel`."""
        try:
            result = self._client.infer(
                self._model.name,
                [self._input(wire_form(patches, datatype), datatype)],
                self._model.version,
                client_timeout=timeout_seconds,
            )
            scores, embeddings = result.as_numpy(SCORES), result.as_numpy(EMBEDDINGS)
        except self._grpc.InferenceServerException as error:
            raise _server_error(error) from error
        except ValueError as error:
            raise ServerError(f"expected tensors of the shape that is named: {error}") from error
        return read_outputs(scores, embeddings, len(patches))

    def _input(self, patches: NDArray[Any], datatype: Datatype) -> Any:
        tensor = self._grpc.InferInput(PATCHES, list(patches.shape), datatype)
        tensor.set_data_from_numpy(patches)
        return tensor


def _import_client() -> ModuleType:
    try:
        return importlib.import_module("tritonclient.grpc")
    except ModuleNotFoundError as error:
        raise EngineError(
            "the remote engine: tritonclient is not installed: pip install 'earshot[remote]'"
        ) from error


def _server_error(error: Any) -> ServerError:
    status = str(error.status()).removeprefix("StatusCode.").lower()
    kind = ServerTimeoutError if status == "deadline_exceeded" else ServerError
    return kind(f"{status}: {' '.join(str(error.message()).split())}")

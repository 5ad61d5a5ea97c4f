"""The Open Inference Protocol over gRPC, through tritonclient."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import ServedModel
from listener.engines.engine import Outputs, import_extra
from listener.engines.remote import channel

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
        self._grpc: Any = import_extra("tritonclient.grpc", "remote", "remote")
        self._client = self._grpc.InferenceServerClient(
            address,
            ssl=tls,
            root_certificates=None if ca_file is None else str(ca_file),
            channel_args=_CHANNEL_OPTIONS,
        )

    def read_inputs(self, timeout_seconds: float) -> list[channel.Tensor]:
        """The inputs of the model; see `Channel`."""
        try:
            metadata = self._client.get_model_metadata(
                self._model.name, self._model.version, client_timeout=timeout_seconds
            )
        except self._grpc.InferenceServerException as error:
            raise _server_error(error) from error
        return [channel.Tensor(tensor.name, tensor.datatype) for tensor in metadata.inputs]

    def infer(
        self, patches: NDArray[np.float32], datatype: channel.Datatype, timeout_seconds: float
    ) -> Outputs:
        """Scores and embeddings; see `Channel`."""
        tensor = self._grpc.InferInput(channel.PATCHES, list(patches.shape), datatype)
        try:
            tensor.set_data_from_numpy(channel.wire_form(patches, datatype))
            result = self._client.infer(
                self._model.name, [tensor], self._model.version, client_timeout=timeout_seconds
            )
            scores, embeddings = (
                result.as_numpy(name) for name in (channel.SCORES, channel.EMBEDDINGS)
            )
        except self._grpc.InferenceServerException as error:
            raise _server_error(error) from error
        except ValueError as error:
            raise channel.ServerError(
                f"expected tensors of the shape that is named: {error}"
            ) from error
        return channel.read_outputs(scores, embeddings, len(patches))


def _server_error(error: Any) -> channel.ServerError:
    status = str(error.status()).removeprefix("StatusCode.").lower()
    timed_out = status == "deadline_exceeded"
    kind = channel.ServerTimeoutError if timed_out else channel.ServerError
    return kind(f"{status}: {' '.join(str(error.message()).split())}")

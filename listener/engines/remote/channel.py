"""The interface of a connection to a model server, and what both protocols share."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from listener.engines.engine import Outputs

Datatype = Literal["FP16", "FP32"]  # of patches on the wire; names of the protocol
PATCHES, SCORES, EMBEDDINGS = "patches", "scores", "embeddings"
_DIMENSIONS = 2  # of an output: patches, values


class ServerError(Exception):
    """A server did not answer as expected; one line that says which and why."""


class ServerTimeoutError(ServerError):
    """It did not answer in time: asking again would take as long."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output in a server's metadata."""

    name: str
    datatype: str


class Channel(Protocol):
    """A connection to one model of one server; any thread may use it."""

    def read_inputs(self, timeout_seconds: float) -> list[Tensor]:
        """The inputs of the model.

        Raises:
            ServerError: the server cannot be reached, or has no such model.
        """

    def infer(
        self, patches: NDArray[np.float32], datatype: Datatype, timeout_seconds: float
    ) -> Outputs:
        """Patches (B, 96, 64), sent as `datatype` -> scores (B, K), embeddings (B, D).

        Raises:
            ServerError: there was no answer in time, or no usable one.
        """


def choose_datatype(inputs: list[Tensor]) -> Datatype:
    """The datatype in which to send patches to a model with these inputs.

    Raises:
        ServerError: it does not take patches, or neither as FP16 nor as FP32.
    """
    names = [tensor.name for tensor in inputs]
    if names != [PATCHES]:
        raise ServerError(f"expected a model with the one input {PATCHES}, it has {names}")
    for datatype in get_args(Datatype):
        if inputs[0].datatype == datatype:
            return datatype  # type: ignore[no-any-return]  # get_args gives Any
    raise ServerError(
        f"{PATCHES}: expected a model that takes FP16 or FP32, it takes {inputs[0].datatype}"
    )


def wire_form(patches: NDArray[np.float32], datatype: Datatype) -> NDArray[Any]:
    """The patches in the datatype of the wire; log-mel is far within float16's range."""
    return patches.astype(np.float16) if datatype == "FP16" else patches


def read_outputs(
    scores: NDArray[Any] | None, embeddings: NDArray[Any] | None, patches: int
) -> Outputs:
    """A server's answer, as an engine returns it.

    Raises:
        ServerError: an output is missing, or is not one row of floating-point numbers a patch; or scores
            are not finite, which from the local engine would end the station.
    """
    outputs = _rows(SCORES, scores, patches), _rows(EMBEDDINGS, embeddings, patches)
    if not np.isfinite(outputs[0]).all():
        raise ServerError(f"{SCORES}: expected finite numbers")
    return outputs


def _rows(name: str, array: NDArray[Any] | None, rows: int) -> NDArray[np.float32]:
    if array is None:
        raise ServerError(f"expected the output {name}, it is not in the answer")
    if array.ndim != _DIMENSIONS or len(array) != rows or array.dtype.kind != "f":
        raise ServerError(
            f"{name}: expected {rows} row(s) of floating-point numbers, "
            f"got {array.dtype} {array.shape}"
        )
    return array.astype(np.float32)  # a copy: the received array is read-only

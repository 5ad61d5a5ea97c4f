"""The tensors of a bundle's `model.tflite`, found by the names in its one signature and checked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from listener.detection.bundle import BundleError

PATCH_SHAPE = (96, 64)  # fixed for every bundle
_ANY = -1  # how TFLite writes an open dimension


@dataclass(frozen=True, slots=True)
class Tensor:
    """The index of a tensor in the graph, and its name there."""

    index: int
    name: str


@dataclass(frozen=True, slots=True)
class Signature:
    """patches float32 (any, 96, 64) -> scores (any, K), embeddings (any, D), float32."""

    patches: Tensor
    scores: Tensor
    embeddings: Tensor


def open_model(path: Path, threads: int = 1) -> Interpreter:
    """LiteRT's interpreter of a file, its tensors not yet allocated.

    Raises:
        BundleError: it is not a TFLite model.
    """
    try:
        return Interpreter(str(path), num_threads=threads)
    except (ValueError, RuntimeError) as error:
        raise BundleError(f"{path}: expected a TFLite model: {error}") from error


def read_signature(path: Path, interpreter: Interpreter) -> Signature:
    """The tensors of the interpreter's model.

    Raises:
        BundleError: it lacks the input or an output of a bundle's model.
    """
    signatures = interpreter.get_signature_list()
    if len(signatures) != 1:
        raise BundleError(f"{path}: expected one signature, found {sorted(signatures)}")
    # the runner must not outlive this call: invoke() refuses while another holds the interpreter
    runner = interpreter.get_signature_runner()
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    if set(inputs) != {"patches"}:
        raise BundleError(f"{path}: expected the one input patches, found {sorted(inputs)}")
    return Signature(
        _tensor(path, inputs, "patches", PATCH_SHAPE),
        _tensor(path, outputs, "scores", (None,)),
        _tensor(path, outputs, "embeddings", (None,)),
    )


def _tensor(
    path: Path, tensors: dict[str, dict[str, Any]], name: str, row: tuple[int | None, ...]
) -> Tensor:
    """The tensor, if it is float32 (any batch, *row); None in `row` is any length."""
    if name not in tensors:
        raise BundleError(f"{path}: expected the output {name}, found {sorted(tensors)}")
    details = tensors[name]
    shape = [int(length) for length in details["shape_signature"]]
    fits = len(shape) == 1 + len(row) and shape[0] == _ANY
    fits = fits and all(want in (None, have) for want, have in zip(row, shape[1:], strict=True))
    if not fits or details["dtype"] is not np.float32:
        wanted = ", ".join("any" if length is None else str(length) for length in row)
        raise BundleError(
            f"{path}: {name}: expected float32 (any, {wanted}), "
            f"found {details['dtype'].__name__} {tuple(shape)}"
        )
    return Tensor(int(details["index"]), str(details["name"]))

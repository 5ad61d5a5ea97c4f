"""Serves a bundle's model.tflite in MLServer; `trainer export --serving` puts a copy beside the model.

It needs mlserver and ai-edge-litert there, and nothing of Earshot.
"""

from __future__ import annotations

import asyncio
import math
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from mlserver import MLModel, raw
from mlserver.errors import InferenceError
from mlserver.types import (
    Datatype,
    InferenceRequest,
    InferenceResponse,
    MetadataTensor,
    RequestInput,
    ResponseOutput,
    TensorData,
)
from mlserver.utils import get_model_uri
from numpy.typing import NDArray

_PATCH_SHAPE = (96, 64)
_LEAST_PART = 4  # patches that a thread is woken for
_BATCHES = (16, 8, 4, 1)  # each has an interpreter of its own: to resize one costs 10 to 30 ms


_DTYPES: dict[Datatype, type[np.floating[Any]]] = {
    Datatype.FP16: np.float16,
    Datatype.FP32: np.float32,
}


class EarshotModel(MLModel):
    """patches (B, 96, 64), FP16 or FP32 -> scores (B, K) FP32, embeddings (B, D) FP16.

    Each processor has a thread, and each thread its interpreters.
    """

    async def load(self) -> bool:
        """Open the model; MLServer says so and does without it if that fails."""
        _pass_bytes_on()
        self._path = await get_model_uri(self.settings)
        self._local = threading.local()
        self._idle = len(os.sched_getaffinity(0))  # threads; the event loop alone counts
        self._pool = ThreadPoolExecutor(self._idle, "litert")
        widths = _Model(self._path, 1).widths
        self.inputs = [_tensor("patches", Datatype.FP16, *_PATCH_SHAPE)]
        self.outputs = [
            _tensor("scores", Datatype.FP32, widths["scores"]),
            _tensor("embeddings", Datatype.FP16, widths["embeddings"]),
        ]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Scores and embeddings; a request that holds no patches is refused."""
        patches = _read_patches(payload)
        scores, embeddings = await self._infer_in_parts(patches)
        raw = isinstance(payload.inputs[0].data.root, bytes)  # else JSON, which holds lists
        outputs = [
            _output("scores", Datatype.FP32, scores, raw=raw),
            _output("embeddings", Datatype.FP16, embeddings, raw=raw),
        ]
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=outputs)

    async def unload(self) -> bool:
        """Let the threads go."""
        self._pool.shutdown()
        return True

    async def _infer_in_parts(
        self, patches: NDArray[np.float32]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """On all threads that have nothing else to do, so that a lone station is served fastest."""
        count = max(1, min(self._idle, len(patches) // _LEAST_PART))
        loop = asyncio.get_running_loop()
        self._idle -= count
        try:
            parts = np.array_split(patches, count)
            runs = [loop.run_in_executor(self._pool, self._infer, part) for part in parts]
            return _joined(await asyncio.gather(*runs))
        finally:
            self._idle += count

    def _infer(self, patches: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        parts, start = [], 0
        for size in _BATCHES:
            while len(patches) - start >= size:
                parts.append(self._run(patches[start : start + size]))
                start += size
        return _joined(parts)

    def _run(self, patches: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        models: dict[int, _Model] = self._local.__dict__.setdefault("models", {})
        batch = len(patches)
        if batch not in models:
            models[batch] = _Model(self._path, batch)
        return models[batch].run(patches)


def _joined(
    parts: list[tuple[NDArray[Any], NDArray[Any]]],
) -> tuple[NDArray[Any], NDArray[Any]]:
    scores, embeddings = zip(*parts, strict=True)
    return np.concatenate(scores), np.concatenate(embeddings)


class _Model:
    """An interpreter that is allocated for one batch size; `widths`: the lengths of its outputs' rows."""

    def __init__(self, path: str, batch: int) -> None:
        self._interpreter = Interpreter(path, num_threads=1)
        self._index, self.widths = _signature(self._interpreter)
        shape = (batch, *_PATCH_SHAPE)
        self._interpreter.resize_tensor_input(self._index["patches"], shape, strict=True)
        self._interpreter.allocate_tensors()

    def run(self, patches: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Scores and embeddings."""
        interpreter, index = self._interpreter, self._index
        interpreter.set_tensor(index["patches"], patches)
        interpreter.invoke()
        return interpreter.get_tensor(index["scores"]), interpreter.get_tensor(index["embeddings"])


def _signature(interpreter: Interpreter) -> tuple[dict[str, int], dict[str, int]]:
    """Where each tensor is, and the lengths of the outputs' rows."""
    runner = (
        interpreter.get_signature_runner()
    )  # must not outlive this call: it holds the interpreter
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    index = {name: int(tensor["index"]) for name, tensor in (inputs | outputs).items()}
    return index, {name: int(tensor["shape"][-1]) for name, tensor in outputs.items()}


def _tensor(name: str, datatype: Datatype, *row: int) -> MetadataTensor:
    return MetadataTensor(name=name, datatype=datatype, shape=[-1, *row])


def _read_patches(payload: InferenceRequest) -> NDArray[np.float32]:
    if [tensor.name for tensor in payload.inputs] != ["patches"]:
        raise InferenceError("expected the one input patches")
    tensor = payload.inputs[0]
    shape, datatype = tuple(tensor.shape), Datatype(tensor.datatype)
    if datatype not in _DTYPES or shape[1:] != _PATCH_SHAPE or shape[0] < 1:
        raise InferenceError(
            f"patches: expected FP16 or FP32 (B, 96, 64), got {datatype.value} {shape}"
        )
    numbers = _read_numbers(tensor.data.root, _DTYPES[datatype])
    if numbers.size != math.prod(shape):
        raise InferenceError(f"patches: expected {math.prod(shape)} numbers, got {numbers.size}")
    return numbers.reshape(shape).astype(np.float32)


def _read_numbers(data: list[Any] | bytes, dtype: type[np.floating[Any]]) -> NDArray[Any]:
    return np.frombuffer(data, dtype) if isinstance(data, bytes) else np.array(data, dtype).ravel()


def _output(
    name: str, datatype: Datatype, array: NDArray[np.float32], *, raw: bool
) -> ResponseOutput:
    numbers = array.astype(_DTYPES[datatype]).ravel()
    data = TensorData.model_construct(root=numbers if raw else numbers.tolist())
    # not validated: that would walk over every number
    return ResponseOutput.model_construct(
        name=name, datatype=datatype.value, shape=list(array.shape), data=data
    )


def _pass_bytes_on() -> None:
    """Let MLServer hand raw patches, and what they give, on as bytes and arrays.

    Its own way makes a Python object of each number, which costs as much as a third of the model. Should
    another version of it not look here, it is slow and right. Other models' tensors stay as they are.
    """
    if not hasattr(raw, "_earshot"):
        raw._earshot = raw._unpack_tensor, raw._pack_tensor
    plain_unpack, plain_pack = raw._earshot

    def unpack(tensor: RequestInput, content: bytes) -> Any:
        return content if tensor.name == "patches" else plain_unpack(tensor, content)

    def pack(tensor: ResponseOutput) -> bytes:
        numbers = getattr(tensor.data, "root", None)
        return numbers.tobytes() if isinstance(numbers, np.ndarray) else plain_pack(tensor)

    raw._unpack_tensor, raw._pack_tensor = unpack, pack

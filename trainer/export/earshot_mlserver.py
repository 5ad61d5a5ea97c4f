"""MLServer runtime for a bundle's model.tflite; `trainer export --serving` copies it beside the model.

It needs mlserver and ai-edge-litert where it runs, and nothing of Earshot.
"""

import asyncio
import math
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from mlserver import MLModel, raw, types
from mlserver.errors import InferenceError
from mlserver.types import Datatype
from mlserver.utils import get_model_uri
from numpy.typing import NDArray

_PATCH_SHAPE = (96, 64)
_MIN_PATCHES_PER_THREAD = 4
_BATCHES = (16, 8, 4, 1)  # one interpreter for each size: resizing one takes 10 to 30 ms
_DTYPES: dict[Datatype, type[np.floating[Any]]] = {
    Datatype.FP16: np.float16,
    Datatype.FP32: np.float32,
}


class EarshotModel(MLModel):
    """patches (B, 96, 64), FP16 or FP32 -> scores (B, K) FP32, embeddings (B, D) FP16.

    There is one thread for each processor, and each thread has its own interpreters.
    """

    async def load(self) -> bool:
        """Open the model; if that fails, MLServer logs it and serves its other models."""
        _pass_raw_bytes()
        self._path = await get_model_uri(self.settings)
        self._local = threading.local()
        self._idle = len(os.sched_getaffinity(0))  # threads; only the event loop changes it
        self._pool = ThreadPoolExecutor(self._idle, "litert")
        widths = _Model(self._path, 1).widths
        self.inputs = [_tensor("patches", Datatype.FP16, *_PATCH_SHAPE)]
        self.outputs = [
            _tensor("scores", Datatype.FP32, widths["scores"]),
            _tensor("embeddings", Datatype.FP16, widths["embeddings"]),
        ]
        return True

    async def predict(self, payload: types.InferenceRequest) -> types.InferenceResponse:
        """Scores and embeddings, computed on all idle threads, so that a lone station waits least.

        Raises:
            InferenceError: the request holds no patches.
        """
        patches = _read_patches(payload)
        count = max(1, min(self._idle, len(patches) // _MIN_PATCHES_PER_THREAD))
        loop = asyncio.get_running_loop()
        self._idle -= count
        try:
            parts = np.array_split(patches, count)
            runs = [loop.run_in_executor(self._pool, self._infer, part) for part in parts]
            scores, embeddings = _joined(await asyncio.gather(*runs))
        finally:
            self._idle += count
        binary = isinstance(payload.inputs[0].data.root, bytes)
        outputs = [
            _output("scores", Datatype.FP32, scores, binary=binary),
            _output("embeddings", Datatype.FP16, embeddings, binary=binary),
        ]
        return types.InferenceResponse(
            model_name=self.name, model_version=self.version, outputs=outputs
        )

    async def unload(self) -> bool:
        """Stop the threads."""
        self._pool.shutdown()
        return True

    def _infer(self, patches: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        """In a thread of the pool, with that thread's interpreters."""
        models: dict[int, _Model] = self._local.__dict__.setdefault("models", {})
        outputs, start = [], 0
        for size in _BATCHES:
            while len(patches) - start >= size:
                if size not in models:
                    models[size] = _Model(self._path, size)
                outputs.append(models[size].run(patches[start : start + size]))
                start += size
        return _joined(outputs)


def _joined(
    outputs: list[tuple[NDArray[Any], NDArray[Any]]],
) -> tuple[NDArray[Any], NDArray[Any]]:
    scores, embeddings = zip(*outputs, strict=True)
    return np.concatenate(scores), np.concatenate(embeddings)


class _Model:
    """An interpreter allocated for one batch size; `widths`: numbers in a row of each output."""

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
    """The index of each tensor, and the numbers in a row of each output."""
    # the runner must not outlive this call: it holds the interpreter
    runner = interpreter.get_signature_runner()
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    index = {name: int(tensor["index"]) for name, tensor in (inputs | outputs).items()}
    return index, {name: int(tensor["shape"][-1]) for name, tensor in outputs.items()}


def _tensor(name: str, datatype: Datatype, *row: int) -> types.MetadataTensor:
    return types.MetadataTensor(name=name, datatype=datatype, shape=[-1, *row])


def _read_patches(payload: types.InferenceRequest) -> NDArray[np.float32]:
    if [tensor.name for tensor in payload.inputs] != ["patches"]:
        raise InferenceError("expected the one input patches")
    tensor = payload.inputs[0]
    shape, datatype = tuple(tensor.shape), Datatype(tensor.datatype)
    if datatype not in _DTYPES or shape[1:] != _PATCH_SHAPE or shape[0] < 1:
        raise InferenceError(
            f"patches: expected FP16 or FP32 (B, 96, 64), got {datatype.value} {shape}"
        )
    data, dtype = tensor.data.root, _DTYPES[datatype]
    binary = isinstance(data, bytes)  # a list if it came as JSON
    numbers = np.frombuffer(data, dtype) if binary else np.array(data, dtype).ravel()
    if numbers.size != math.prod(shape):
        raise InferenceError(f"patches: expected {math.prod(shape)} numbers, got {numbers.size}")
    return numbers.reshape(shape).astype(np.float32)


def _output(
    name: str, datatype: Datatype, array: NDArray[np.float32], *, binary: bool
) -> types.ResponseOutput:
    numbers = array.astype(_DTYPES[datatype]).ravel()
    data = types.TensorData.model_construct(root=numbers if binary else numbers.tolist())
    # without validation, which would visit every number
    return types.ResponseOutput.model_construct(
        name=name, datatype=datatype.value, shape=list(array.shape), data=data
    )


def _pass_raw_bytes() -> None:
    """Patch MLServer so that it passes raw patches and their outputs as bytes and arrays.

    MLServer itself makes a Python object of each number, which takes a third as long as the model. A
    version of MLServer that does not call these two functions is slow, and still right. The tensors of
    other models are untouched.
    """
    if not hasattr(raw, "_earshot"):
        raw._earshot = raw._unpack_tensor, raw._pack_tensor
    plain_unpack, plain_pack = raw._earshot

    def unpack(tensor: types.RequestInput, content: bytes) -> Any:
        return content if tensor.name == "patches" else plain_unpack(tensor, content)

    def pack(tensor: types.ResponseOutput) -> bytes:
        numbers = getattr(tensor.data, "root", None)
        return numbers.tobytes() if isinstance(numbers, np.ndarray) else plain_pack(tensor)

    raw._unpack_tensor, raw._pack_tensor = unpack, pack

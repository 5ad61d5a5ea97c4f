"""LiteRT (TensorFlow Lite), the default engine on CPUs."""

import ctypes
import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import BundleError
from listener.engines.engine import Outputs
from listener.engines.tflite import PATCH_SHAPE, open_model, read_signature

log = logging.getLogger(__name__)

_LARGEST_BATCH = 16  # larger batches gain no more in reading weights than they lose in caches
_MAPS = Path("/proc/self/maps")
_MADV_DONTNEED = 4  # madvise(2)


class LiteRTEngine:
    """A bundle's `model.tflite`; an `Engine`.

    A resize costs 10 to 30 ms, so each batch size has an interpreter of its own (35 MB for YAMNet),
    built when it is first needed. Only 1, 4 and 16 have one: a batch of 7 runs as 4 + 1 + 1 + 1.
    YAMNet takes 0.83 ms a patch in ones, 0.74 in fours, 0.68 in sixteens.

    Raises:
        BundleError: the file is not a TFLite model with the bundle's input and outputs.
    """

    def __init__(self, model_path: Path, threads: int = 1, max_batch: int = _LARGEST_BATCH) -> None:
        self._model_path = model_path
        self._threads = threads
        self._sizes = batch_sizes(max_batch)
        self._models = {1: _Model(model_path, threads, 1)}  # a broken file fails here

    def infer(self, patches: NDArray[np.float32]) -> Outputs:
        """Log-mel patches (B, 96, 64) -> scores (B, K), embeddings (B, D); see `Engine`."""
        model = self._models.get(len(patches))
        if model is not None:
            return model.run(patches)
        outputs, start = [], 0
        for size in split_batch(len(patches), self._sizes):
            if size not in self._models:
                self._models[size] = _Model(self._model_path, self._threads, size)
            outputs.append(self._models[size].run(patches[start : start + size]))
            start += size
        scores, embeddings = zip(*outputs, strict=True)
        return np.concatenate(scores), np.concatenate(embeddings)


def batch_sizes(max_batch: int) -> tuple[int, ...]:
    """The powers of 4 up to `max_batch`, at most 16, largest first: 5 -> (4, 1), 48 -> (16, 4, 1)."""
    sizes = [1]
    while sizes[-1] * 4 <= min(max_batch, _LARGEST_BATCH):
        sizes.append(sizes[-1] * 4)
    return tuple(reversed(sizes))


def split_batch(count: int, sizes: tuple[int, ...]) -> list[int]:
    """`count` as a sum of `sizes` (largest first, the last is 1): 7 -> [4, 1, 1, 1]."""
    parts: list[int] = []
    for size in sizes:
        times, count = divmod(count, size)
        parts += [size] * times
    return parts


class _Model:
    """An interpreter that is allocated for one batch size."""

    def __init__(self, path: Path, threads: int, batch: int) -> None:
        self._interpreter = open_model(path, threads)
        tensors = read_signature(path, self._interpreter)
        self._patches = tensors.patches.index
        self._scores, self._embeddings = tensors.scores.index, tensors.embeddings.index
        try:
            shape = (batch, *PATCH_SHAPE)
            self._interpreter.resize_tensor_input(self._patches, shape, strict=True)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:  # LiteRT raises either
            raise BundleError(f"{path}: cannot run batches of {batch}: {error}") from error
        release_pages(path)

    def run(self, patches: NDArray[np.float32]) -> Outputs:
        # get_tensor copies; set, invoke and get cost 1.3 us a patch beyond the bare C++ invoke, the
        # signature runner 3 to 20
        interpreter = self._interpreter
        interpreter.set_tensor(self._patches, patches)
        interpreter.invoke()
        return interpreter.get_tensor(self._scores), interpreter.get_tensor(self._embeddings)


def release_pages(path: Path) -> None:
    """Release the memory of a mapped file; pages that are read again come from the file.

    LiteRT maps the model and copies its weights into memory of its own: without this YAMNet's 15 MB
    would be in memory twice, and once more for each batch size.
    """
    if not _MAPS.exists():  # not Linux
        return
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    mapped = [str(path.resolve())]
    for line in _MAPS.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        addresses, access, _, _, _, *name = line.split(maxsplit=5)
        if name != mapped or "w" in access:
            continue
        start, end = (int(address, 16) for address in addresses.split("-"))
        if madvise(start, end - start, _MADV_DONTNEED):
            log.debug("%s: its pages stay: madvise gave %d", path, ctypes.get_errno())

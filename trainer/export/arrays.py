"""Arrays that a bundle carries beside its model, one .npz file for each purpose.

No import of TensorFlow here: evaluation and retraining read these files too.
"""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from listener.detection.bundle import ARCHIVE_ERRORS, Bundle, BundleError


def arrays_as_bytes(**arrays: NDArray[Any]) -> bytes:
    """The arrays as a compressed .npz file."""
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    return content.getvalue()


@contextmanager
def open_arrays(bundle: Bundle, name: str, what: str) -> Iterator[Mapping[str, NDArray[Any]]]:
    """The arrays of a file that the bundle lists, by name; `what` says what is expected in it.

    Raises:
        BundleError: the file holds something else, or the block cannot use its arrays.
    """
    file = bundle.path / name
    try:
        with file.open("rb") as handle, np.load(handle, allow_pickle=False) as arrays:
            yield arrays
    except ARCHIVE_ERRORS as error:
        raise BundleError(f"{file}: expected {what}: {error}") from error

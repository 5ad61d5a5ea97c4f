"""How a batch of any size runs on graphs that were compiled for a few: in parts, the last one padded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_SMALLEST = 16  # a GPU takes as long for one patch
_STEP = 4
_LARGEST = (
    256  # keeps a GPU busy; a larger batch goes in parts, each copied while the one before runs
)


@dataclass(frozen=True, slots=True)
class Part:
    """Rows `start` to `stop` of a batch, for the graph of `size` rows; what is missing is padding."""

    start: int
    stop: int
    size: int


def ladder(max_batch: int) -> tuple[int, ...]:
    """The sizes that graphs are compiled for, powers of 4: 20 -> (16, 64), 4096 -> (16, 64, 256)."""
    sizes = [_SMALLEST]
    while sizes[-1] < min(max_batch, _LARGEST):
        sizes.append(sizes[-1] * _STEP)
    return tuple(sizes)


def split(count: int, sizes: Sequence[int]) -> Iterator[Part]:
    """`count` rows as whole parts of the largest size and one of the smallest that holds the rest.

    `sizes` are in ascending order.
    """
    largest = sizes[-1]
    for start in range(0, count, largest):
        rows = min(largest, count - start)
        size = next(size for size in sizes if size >= rows)
        yield Part(start, start + rows, size)

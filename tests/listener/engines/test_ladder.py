"""The ladder: few sizes, each batch in whole parts of the largest and one padded rest."""

from __future__ import annotations

import pytest

from listener.engines.ladder import Part, ladder, split


@pytest.mark.parametrize(
    ("max_batch", "sizes"),
    [
        (1, (16,)),
        (16, (16,)),
        (17, (16, 64)),
        (64, (16, 64)),
        (65, (16, 64, 256)),
        (4096, (16, 64, 256)),
    ],
)
def test_its_largest_size_holds_the_largest_batch_or_is_256(max_batch: int, sizes: tuple[int, ...]):
    assert ladder(max_batch) == sizes


@pytest.mark.parametrize(
    ("count", "parts"),
    [
        (1, [Part(0, 1, 16)]),
        (16, [Part(0, 16, 16)]),
        (17, [Part(0, 17, 64)]),
        (256, [Part(0, 256, 256)]),
        (600, [Part(0, 256, 256), Part(256, 512, 256), Part(512, 600, 256)]),
        (522, [Part(0, 256, 256), Part(256, 512, 256), Part(512, 522, 16)]),
    ],
)
def test_a_batch_goes_in_whole_parts_and_one_padded_rest(count: int, parts: list[Part]):
    assert list(split(count, (16, 64, 256))) == parts


def test_where_only_the_largest_size_is_ready_it_takes_all():
    assert list(split(3, (64,))) == [Part(0, 3, 64)]

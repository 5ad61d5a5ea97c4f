"""Query by example: the nearest stored clips by the cosine of their mean embeddings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.trainer.stores import RATE_HZ, StoreWriter, said
from trainer.clip_search.similar import cosine, find_similar
from trainer.errors import DataError

SECOND = np.zeros(RATE_HZ, np.float32)


@pytest.fixture
def store(tmp_path: Path) -> StoreWriter:
    return StoreWriter(tmp_path / "clips")


def test_the_nearest_comes_first(store: StoreWriter):
    asked = store.add(SECOND, embedding=(1.0, 0.0))
    across = store.add(SECOND, embedding=(0.0, 2.0))
    along = store.add(SECOND, label="dog", verdict=said("right"), embedding=(5.0, 0.0))
    between = store.add(SECOND, embedding=(1.0, 1.0))
    found = find_similar(asked.id, store.root, 10)
    assert [each.clip for each in found] == [along.id, between.id, across.id]
    assert [each.cosine for each in found] == pytest.approx([1.0, 0.7071, 0.0], abs=1e-4)
    assert (found[0].label, found[0].verdict) == ("dog", "right")


def test_at_most_so_many(store: StoreWriter):
    asked, *_ = [store.add(SECOND, embedding=(1.0, number)) for number in range(5)]
    assert len(find_similar(str(asked.path), store.root, 2)) == 2


def test_embeddings_of_another_backbone_are_left_out(store: StoreWriter):
    asked = store.add(SECOND, embedding=(1.0, 0.0))
    store.add(SECOND, embedding=(1.0, 0.0, 0.0))
    assert find_similar(asked.id, store.root, 10) == ()


def test_a_clip_without_its_analysis_is_left_out(store: StoreWriter):
    asked, other = store.add(SECOND), store.add(SECOND)
    other.path.with_suffix(".npz").unlink()
    assert find_similar(asked.id, store.root, 10) == ()
    with pytest.raises(DataError, match="expected a clip with embeddings, it has none"):
        find_similar(other.id, store.root, 10)


def test_an_unknown_clip_is_refused(store: StoreWriter):
    store.add(SECOND)
    with pytest.raises(DataError, match="found none of that id"):
        find_similar("nobody", store.root, 10)


def test_a_zero_vector_is_like_nothing():
    others = np.array([[0.0, 0.0], [-2.0, 0.0]], np.float32)
    np.testing.assert_array_equal(cosine(np.array([1.0, 0.0], np.float32), others), [0.0, -1.0])

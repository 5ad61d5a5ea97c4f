"""The shipped bank is small and credited; a bank is split by source and found by its backbone."""

from __future__ import annotations

import numpy as np
import pytest

from listener.detection.bundle import Bundle
from trainer.background import bank
from trainer.model.backbones import BundleBackbone

MOST_BYTES = 3_000_000


def make_bank(sources: int) -> bank.BankOfNegatives:
    """Two clips of two patches of each source; an embedding is its clip's number, twice."""
    clip = np.repeat(np.arange(2 * sources), 2)
    embeddings = np.repeat(clip[:, None], 2, axis=1).astype(np.float32)
    names = tuple(f"source {number}" for number in range(sources))
    return bank.BankOfNegatives(embeddings, clip, clip // 2, names)


@pytest.mark.parametrize("file", bank.BANK_FILES, ids=lambda file: file.name)
def test_a_shipped_bank_is_small_whole_and_credited(file):
    assert file.stat().st_size <= MOST_BYTES
    credited = bank.CREDITS_FILE.read_text(encoding="utf-8")
    with np.load(file, allow_pickle=False) as arrays:
        size = arrays["embeddings"].shape[1]
        assert arrays["scale"].shape == arrays["zero"].shape == (size,)
        assert arrays["probe"].shape == (1, size)
        assert len(arrays["clip"]) == len(arrays["source"]) == len(arrays["embeddings"])
        assert (np.diff(arrays["clip"].astype(int)) >= 0).all()
        assert set(np.unique(arrays["source"])) == set(range(len(arrays["sources"])))
        for source in arrays["sources"]:
            assert f"| {source} |" in credited


def test_no_source_is_in_both_parts():
    train, held = make_bank(8).split()
    assert set(train.source) == {0, 1, 2, 4, 5, 6}
    assert set(held.source) == {3, 7}


def test_the_mean_of_a_clip_is_that_of_its_patches():
    numbers, means = make_bank(2).clip_means()
    np.testing.assert_array_equal(numbers, [0, 1, 2, 3])
    np.testing.assert_array_equal(means[:, 0], [0, 1, 2, 3])
    assert [len(each) for each in make_bank(2).by_clip()] == [2, 2, 2, 2]


def test_left_out_clips_are_gone():
    assert set(make_bank(2).without_clips([1, 2]).clip) == {0, 3}


def test_another_network_has_no_bank(tones_bundle: Bundle):
    assert bank.find_bank(BundleBackbone(tones_bundle.path)) is None

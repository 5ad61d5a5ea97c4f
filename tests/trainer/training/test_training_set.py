"""A bank does not teach against the user's own sounds, and weighs what it is meant to weigh."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from listener.detection.params import FeatureParams
from tests.trainer.background.test_bank import make_bank
from tests.trainer.conftest import no_progress
from tests.trainer.training.tones import write_tones
from trainer.data.cache import EmbeddingCache, Entry
from trainer.data.clips import Clip
from trainer.data.formats import read_clips
from trainer.data.patches import EmbeddedClip, EmbeddedTable
from trainer.model.backbones import open_backbone
from trainer.training.recipe import Recipe
from trainer.training.rows import BANK_SHARE, GENERATED_SHARE, training_rows
from trainer.training.training_set import bank_clips, leave_out_likenesses, make_training_set


def test_what_sounds_like_a_label_is_left_out_of_the_bank(tmp_path: Path):
    """Recordings of a dog point along the first axis, the bank's clips along one axis each."""
    directions = np.eye(6, dtype=np.float32)
    cache = EmbeddingCache(tmp_path)
    clips = []
    for number in range(3):
        own = directions[:1] + 0.01 * number * directions[5:]
        cache.store(f"{number:064d}", Entry(own, 1.0))
        clip = Clip(Path(f"{number}"), frozenset({"dog"}), f"{number}", fold=1)
        clips.append(EmbeddedClip(clip, "", f"{number:064d}", 1, 1.0))
    table = EmbeddedTable(tuple(clips), ("dog",), (), FeatureParams(), cache)
    bank = replace(make_bank(2), embeddings=np.repeat(directions[:4], 2, axis=0))
    assert set(leave_out_likenesses(bank, table).clip) == {1, 2, 3}


def test_the_bank_weighs_its_share_of_the_clips(tones_bundle, tmp_path: Path):
    recipe = Recipe(copies=0)
    backbone = open_backbone(str(tones_bundle.path))
    table = read_clips([write_tones(tmp_path / "data")])
    cache = EmbeddingCache(tmp_path / "cache")
    made = make_training_set(table, backbone, cache, recipe, no_progress)
    assert made.bank is None
    size = backbone.embedding_size
    clip = np.arange(8)
    bank = replace(make_bank(4), embeddings=np.zeros((8, size), np.float32), clip=clip, source=clip)
    with_bank = replace(made, bank=bank_clips(bank, made.classes, backbone.features))
    rows = training_rows(with_bank, recipe)
    assert rows.weights.sum() == pytest.approx(len(table.clips))
    whole = 1.0 + GENERATED_SHARE + BANK_SHARE
    assert rows.weights[-8:].sum() == pytest.approx(len(table.clips) * BANK_SHARE / whole)
    assert (rows.targets[-8:, -1] == 1).all()
    alone = training_rows(made, recipe)
    assert made.background is not None
    noise = sum(-(-len(each.inputs) // made.stride) for each in made.background.patches)
    share = alone.weights[-noise:].sum() / alone.weights.sum()
    assert float(share) == pytest.approx((whole - 1.0) / whole)

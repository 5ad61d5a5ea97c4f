"""YAMNet's last block is trained along with the head."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.trainer.training.tones import write_tones
from trainer.data.cache import EmbeddingCache
from trainer.data.formats import read_clips
from trainer.model.backbones import open_backbone
from trainer.model.progress import epochs_bar
from trainer.model.settings import FitSettings, Thawing
from trainer.training.recipe import Recipe
from trainer.training.train import split, train
from trainer.training.training_set import make_training_set


def test_the_thawed_block_moves_and_the_others_stay(shared: Path, tmp_path: Path):
    backbone = open_backbone(str(shared / "models" / "yamnet"))
    fit = FitSettings(thawing=Thawing(blocks=1), max_epochs=1)
    recipe = Recipe(fit=fit, copies=0, background=False)
    table = read_clips([write_tones(tmp_path / "data")]).in_folds(1, 2)
    cache = EmbeddingCache(tmp_path / "cache")
    tones = make_training_set(
        table, backbone, cache, recipe, lambda _what: lambda _done, _total: None
    )
    trained = train(split(tones, (1, 2), 2), backbone, recipe, epochs_bar)
    before, after = backbone.build_net(), trained.thawed
    assert after is not None
    moved = {
        variable.path.split("/")[0]
        for variable, old in zip(after.weights, before.weights, strict=True)
        if not np.array_equal(variable, old)
    }
    assert moved == {"layer14_depthwise", "layer14_pointwise"}
    assert trained.network_on(before).output["scores"].shape[-1] == 2
    assert [len(history.epochs) for history in trained.histories] == [1, 1]

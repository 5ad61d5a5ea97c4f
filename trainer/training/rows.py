"""A training set as weighted rows in memory, for logistic regression."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from trainer.data.batches import Batch, Batching, iterate_batches, join_batches
from trainer.data.patches import EmbeddedTable, PatchSource
from trainer.training.recipe import Recipe
from trainer.training.sampling import Strided
from trainer.training.training_set import TrainingSet

MOST_ROWS = (
    10_000  # of clips and copies: 40 MB of YAMNet's embeddings; of more clips, some are left out
)
# What weighs how much beside all clips and copies together
GENERATED_SHARE, BANK_SHARE = 0.2, 0.5


def training_rows(training_set: TrainingSet, recipe: Recipe, *, copies: bool = True) -> Batch:
    """The rows of a training set; their weights add up to the number of its clips.

    So the strength of a regularisation means the same for short clips and long ones. `copies`: with the
    varied copies, and else without them.
    """
    batching = Batching(exclusive=recipe.fit.activation == "softmax")
    tables = training_set.tables if copies else training_set.tables[:1]
    own = list(_table_rows(training_set, tables, batching))
    total = sum(float(each.weights.sum()) for each in own)
    parts = own
    # without a bank, generated noise stands for all other sound
    generated = GENERATED_SHARE + (BANK_SHARE if training_set.bank is None else 0.0)
    for source, stride, share in (
        (training_set.background, training_set.stride, generated),
        (training_set.bank, 2, BANK_SHARE),
    ):
        if source is not None:
            rows = _rows(Strided(source, stride), batching)
            parts = [*parts, _weighing(rows, share * total)]
    joined = join_batches(parts)
    return _weighing(joined, float(len(training_set.clips.clips)))


def _table_rows(
    training_set: TrainingSet, tables: tuple[EmbeddedTable, ...], batching: Batching
) -> Iterator[Batch]:
    patches = sum(sum(table.patch_counts) for table in tables) // training_set.stride
    step = max(1, -(-patches // MOST_ROWS))  # rounded up
    for number, table in enumerate(tables):
        few = replace(table, clips=table.clips[::step])
        rows = _rows(Strided(few, training_set.stride), batching)
        times = training_set.repeats if len(tables) > 1 and not number else 1
        yield rows._replace(weights=rows.weights * np.float32(times))


def _rows(source: PatchSource, batching: Batching) -> Batch:
    return join_batches(list(iterate_batches(source, batching)))


def _weighing(rows: Batch, total: float) -> Batch:
    return rows._replace(weights=rows.weights * np.float32(total / max(rows.weights.sum(), 1e-9)))

"""Which clips of data sets a command looks at: by folds, named or those that the bundle never saw."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from listener.detection.bundle import Bundle
from trainer.data.clips import ClipTable
from trainer.errors import DataError
from trainer.evaluation.unseen import unseen_folds

log = logging.getLogger(__name__)


def choose_clips(
    bundle: Bundle, table: ClipTable, folds: Sequence[int], keys: Sequence[str]
) -> ClipTable:
    """The clips of the folds; of none, those of every fold without a file listed under the keys.

    Raises:
        DataError: a fold without clips, or a file that cannot be read.
    """
    there = sorted({clip.fold for clip in table.clips})
    if missing := sorted(set(folds) - set(there)):
        raise DataError(f"folds: expected some of {there}, got {missing}")
    chosen = folds or unseen_folds(bundle, table, keys)
    if len(set(chosen)) < len(there):
        log.info("using folds %s of %s", sorted(set(chosen)), there)
    return table.in_folds(*chosen)

"""How the thresholds of YAMNet's groups were chosen: clips heard and wrong, threshold by threshold."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.world.home import HomeGroups, expected_clips
from benchmarks.world.packages import World
from benchmarks.world.scored import WorldScorer
from listener.detection.bundle import Bundle
from trainer.evaluation.scored_file import running_median

_THRESHOLDS = (0.1, 0.13, 0.2, 0.25, 0.3, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8)
_MEDIANS = (1, 3)  # patches


def describe(bundle: Bundle, world: World, root: Path) -> str:
    """A line for each group and length of the median: at each threshold, heard / wrong clips."""
    scorer, groups = WorldScorer(bundle, root / "scores"), HomeGroups(bundle)
    heard = np.zeros((len(groups.columns), len(_MEDIANS), len(_THRESHOLDS)), int)
    wrong, total = np.zeros_like(heard), np.zeros(len(groups.columns), int)
    for clip, right, allowed in (
        each for part in ("train", "tune") for each in expected_clips(world, root, part, groups)
    ):
        scored = scorer.alone(clip)
        if scored is None:
            continue
        for number, (group, columns) in enumerate(groups.columns.items()):
            highest = scored.scores[:, columns].max(axis=1)
            peaks = np.array([running_median(highest, length).max() for length in _MEDIANS])
            above = peaks[:, None] >= np.array(_THRESHOLDS)
            if group in right:
                heard[number] += above
                total[number] += 1
            elif group not in allowed:
                wrong[number] += above
    lines = [f"{'group, median':24}" + "".join(f"{threshold:>12}" for threshold in _THRESHOLDS)]
    for number, group in enumerate(groups.columns):
        for row, length in enumerate(_MEDIANS):
            cells = zip(heard[number, row], wrong[number, row], strict=True)
            lines.append(
                f"{f'{group} of {total[number]}, {length}':24}"
                + "".join(f"{f'{right} / {false}':>12}" for right, false in cells)
            )
    return "\n".join(lines)

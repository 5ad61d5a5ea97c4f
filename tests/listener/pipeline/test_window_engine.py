"""An engine that makes the log-mel itself gets windows, and all else is as with one that does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from listener.detection.bundle import Label, Manifest
from listener.detection.features import log_mel_of
from listener.detection.scores import PatchScores
from listener.engines.engine import Engine
from listener.pipeline.chunk_queue import ChunkQueue
from listener.pipeline.inference import Inference
from listener.pipeline.plan import Detection
from listener.sinks.sink import Notice, PatchNotice
from tests.doubles import LABELS, LoudnessEngine, Outputs
from tests.listener.pipeline.stages import (
    HOP,
    PARAMS,
    POLICY,
    WINDOW,
    chunk,
    make_health,
    make_plan,
)

PATTERN = "..##..#."


class WindowLoudness(LoudnessEngine):
    """`LoudnessEngine` with a front end of its own."""

    def infer_windows(self, windows: NDArray[np.float32]) -> Outputs:
        """The same for the patches in them."""
        return self.infer(np.array([log_mel_of(window, PARAMS) for window in windows]))


def run(
    engine: Engine, wanted: Detection | None = None, after: int = 3
) -> tuple[list[PatchScores], list[Notice]]:
    """The rows and notices of PATTERN on one source; after some rows another engine is wanted."""
    rows: list[PatchScores] = []
    notices: list[Notice] = []
    queue = ChunkQueue(["hall"], 100)
    for number, sign in enumerate(PATTERN):
        queue.put(chunk(number, loud=sign == "#"))
    queue.close()

    def take(row: PatchScores) -> None:
        rows.append(row)
        if len(rows) == after:
            inference.wanted = wanted

    inference = Inference(
        engine, make_plan(), queue, make_health("hall"), notices.extend,
        max_batch=1, max_wait_seconds=0.0, tap=take,
    )  # fmt: skip
    inference.run()
    return rows, notices


def test_it_gives_the_same_rows():
    (theirs, _), (ours, _) = run(LoudnessEngine()), run(WindowLoudness())
    assert len(ours) == len(PATTERN)
    for one, other in zip(ours, theirs, strict=True):
        assert (one.onset, one.offset, one.level_dbfs) == (
            other.onset, other.offset, other.level_dbfs,
        )  # fmt: skip
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)


def test_who_looks_on_sees_the_same_frames():
    theirs, ours = (
        [notice.new_frames for notice in notices if isinstance(notice, PatchNotice)]
        for _, notices in (run(LoudnessEngine()), run(WindowLoudness()))
    )
    assert [frames.shape for frames in ours] == [(48, 64)] * len(PATTERN)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize(
    ("first", "second"), [(LoudnessEngine, WindowLoudness), (WindowLoudness, LoudnessEngine)]
)
def test_a_change_of_bundle_to_the_other_kind_hears_on_from_the_first_new_sample(
    first: Callable[[], LoudnessEngine], second: Callable[[], LoudnessEngine]
):
    labels = tuple(Label(slug, slug) for slug in LABELS)
    manifest = Manifest("other", 2, "2026-11-01T00:00:00Z", labels, dict.fromkeys(LABELS, POLICY))
    old, new = first(), second()
    wanted = Detection(new, replace(make_plan(), bundle="other@2"), manifest)
    rows, _ = run(old, wanted)
    heard = (WINDOW + 2 * HOP) / 16_000  # by three patches
    assert sum(old.batches) == 3
    assert rows[3].onset == pytest.approx(heard)
    # of the five hops that are left: a window, and two hops more
    assert sum(new.batches) == 1 + (5 * HOP - WINDOW) // HOP
    assert rows[-1].offset == pytest.approx(heard + 2 * 0.48 + 0.7275)

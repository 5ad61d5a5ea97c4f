"""An engine that computes the log-mel itself gets windows; all else is as with one that does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from listener.detection.bundle import Label, Manifest
from listener.detection.features import log_mel_of
from listener.pipeline.plan import Detection
from listener.sinks.sink import PatchNotice
from tests.doubles import LABELS, LoudnessEngine, Outputs
from tests.listener.pipeline.stages import HOP, PARAMS, POLICY, WINDOW, Bench, chunks, make_plan

PATTERN = "..##..#."


class WindowLoudness(LoudnessEngine):
    """`LoudnessEngine` with a front end of its own."""

    def infer_windows(self, windows: NDArray[np.float32]) -> Outputs:
        """The same for the patches in them."""
        return self.infer(np.array([log_mel_of(window, PARAMS) for window in windows]))


def run(engine: LoudnessEngine, wanted: Detection | None = None) -> Bench:
    """PATTERN on one source; after three rows another engine may be wanted."""
    changes = {} if wanted is None else {3: wanted}
    return Bench(*chunks(PATTERN), engine=engine, max_batch=1, changes=changes).run()


def test_it_gives_the_same_rows():
    theirs, ours = run(LoudnessEngine()).rows, run(WindowLoudness()).rows
    assert len(ours) == len(PATTERN)
    for one, other in zip(ours, theirs, strict=True):
        assert (one.onset, one.offset, one.level_dbfs) == (
            other.onset, other.offset, other.level_dbfs,
        )  # fmt: skip
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)


def test_notices_have_the_same_frames():
    theirs, ours = (
        [notice.new_frames for notice in run(engine).notices if isinstance(notice, PatchNotice)]
        for engine in (LoudnessEngine(), WindowLoudness())
    )
    assert [frames.shape for frames in ours] == [(48, 64)] * len(PATTERN)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize(
    ("first", "second"), [(LoudnessEngine, WindowLoudness), (WindowLoudness, LoudnessEngine)]
)
def test_after_a_change_to_the_other_kind_analysis_begins_with_the_first_new_sample(
    first: Callable[[], LoudnessEngine], second: Callable[[], LoudnessEngine]
):
    labels = tuple(Label(slug, slug) for slug in LABELS)
    manifest = Manifest("other", 2, "2026-11-01T00:00:00Z", labels, dict.fromkeys(LABELS, POLICY))
    old, new = first(), second()
    wanted = Detection(new, replace(make_plan(), bundle="other@2"), manifest)
    rows = run(old, wanted).rows
    heard = (WINDOW + 2 * HOP) / 16_000  # by three patches
    assert sum(old.batches) == 3
    assert rows[3].onset == pytest.approx(heard)
    # of the five hops that are left: a window, and two hops more
    assert sum(new.batches) == 1 + (5 * HOP - WINDOW) // HOP
    assert rows[-1].offset == pytest.approx(heard + 2 * 0.48 + 0.7275)

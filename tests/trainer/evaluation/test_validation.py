"""Clips as validation audio: where their labels are heard, and what nobody knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from listener.detection.bundle import Bundle
from listener.detection.clip import LabelSpan
from listener.detection.params import FeatureParams
from tests.trainer.report.tones import write_quiet
from tests.trainer.training.tones import tone
from trainer.data.clips import Clip, ClipTable
from trainer.errors import DataError
from trainer.evaluation.scoring import open_scorer
from trainer.evaluation.validation import score_validation, spans_of

PARAMS = FeatureParams()
CLIP = Clip(Path("x.wav"), frozenset({"low_tone"}), "x", 1, exhaustive=True)


def silence(seconds: float):
    return np.zeros(round(seconds * 16_000), np.float32)


def test_a_whole_label_is_one_span_from_the_first_sound_to_the_last():
    """A second of tone from 4 s and one from 7 s: the pause between belongs to it, the silence not."""
    sound = tone(500.0, 0.5, 1.0)
    samples = np.concatenate((silence(4.0), sound, silence(2.0), sound, silence(4.0)))
    (span,) = spans_of(CLIP, samples, PARAMS)
    assert span.label == "low_tone"
    assert span.onset == pytest.approx(4.0, abs=0.75)
    assert span.offset == pytest.approx(8.0, abs=0.75)


def test_spans_that_somebody_gave_stay_as_they_are():
    given = LabelSpan("low_tone", 1.0, 2.0)
    both = replace(CLIP, labels=frozenset({"low_tone", "noise"}), spans=(given,))
    timed, whole = spans_of(both, tone(500.0, 0.5, 3.0), PARAMS)
    assert timed == given
    assert whole == LabelSpan("noise", 0.0, 3.0)


def test_a_clip_that_is_quiet_throughout_holds_its_label_all_along():
    assert spans_of(CLIP, silence(3.0), PARAMS) == (LabelSpan("low_tone", 0.0, 3.0),)


def test_where_nobody_knows_a_label_it_is_silent(tones_bundle: Bundle, tmp_path: Path):
    clip = replace(CLIP, path=write_quiet(tmp_path / "x.wav", 3.0, 1.0))
    vague = replace(clip, labels=frozenset(), negatives=frozenset({"noise"}), exhaustive=False)
    table = ClipTable((clip, vague), ("low_tone", "noise"))
    scorer = open_scorer(tones_bundle)
    known, unknown = score_validation(scorer, table, tones_bundle.labels).files
    assert known.scores[:, 0].max() > 0.5
    assert unknown.scores[:, 0].max() == 0.0
    np.testing.assert_array_equal(known.scores[:, 2], unknown.scores[:, 2])


def test_what_cannot_be_read_is_left_out(tones_bundle: Bundle, tmp_path: Path):
    (tmp_path / "broken.wav").write_bytes(b"no audio")
    broken = replace(CLIP, path=tmp_path / "broken.wav")
    good = replace(CLIP, path=write_quiet(tmp_path / "x.wav", 3.0, 1.0))
    scorer = open_scorer(tones_bundle)
    found = score_validation(scorer, ClipTable((broken, good), ("low_tone",)), tones_bundle.labels)
    assert len(found.files) == 1
    assert [each.path for each in found.quarantined] == [broken.path]
    with pytest.raises(DataError, match="expected clips that can be read, got none of 1"):
        score_validation(scorer, ClipTable((broken,), ("low_tone",)), tones_bundle.labels)

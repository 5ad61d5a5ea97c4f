"""Validation clips scored, policies within a budget, and what may be claimed."""

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
from trainer.evaluation.calibration import (
    Budget,
    calibrate_bundle,
    score_held_back,
    score_validation,
    spans_of,
)
from trainer.evaluation.findings import explain_refusal
from trainer.evaluation.operating_points import Grid
from trainer.evaluation.regression import make_regression_set
from trainer.evaluation.scored_file import ScoredFile
from trainer.evaluation.scoring import open_scorer

GRID = Grid((0.0,), (0.1, 0.3, 0.5, 0.7, 0.9), (1.0, 0.5), (0.0,), (0.0,))


def make_file(hours: float, rows: dict[int, tuple[float, float, float]], *truth: LabelSpan):
    """Slots of 0.48 s of silence, but for some rows of low_tone, high_tone and noise."""
    scores = np.zeros((round(hours * 7500), 3), np.float32)
    for row, values in rows.items():
        scores[row] = values
    return ScoredFile("x", scores, np.arange(len(scores) + 1, dtype=np.float64) * 0.48, truth)


def spans(label: str, *rows: int) -> tuple[LabelSpan, ...]:
    return tuple(LabelSpan(label, row * 0.48, (row + 1) * 0.48) for row in rows)


VALIDATION = make_file(
    0.01,
    {5: (0.8, 0.2, 0.0), 20: (0.0, 0.8, 0.0), 40: (0.4, 0.0, 0.0)},
    *spans("low_tone", 5, 40),
    *spans("high_tone", 20),
)


def test_each_label_has_its_policy_and_the_budget_is_shared(tones_bundle: Bundle):
    ambient = make_file(24.0, {1000: (0.5, 0.0, 0.0), 9000: (0.5, 0.0, 0.0)})
    found = calibrate_bundle(tones_bundle, [VALIDATION], [ambient], Budget(2.0), grid=GRID)
    # one a day each: 0.4 would find both low tones, but ambient audio reaches 0.5 twice
    assert found.policies["low_tone"].on_threshold > 0.5
    assert 0.2 < found.policies["high_tone"].on_threshold <= 0.8
    points = {finding.label: finding.point for finding in found.findings}
    assert points["low_tone"] is not None
    assert points["low_tone"].counts.recall == 0.5
    assert found.ambient is not None
    assert (found.ambient.alarms, round(found.ambient.hours)) == (0, 24)


def test_a_label_that_validation_never_heard_keeps_its_policy(tones_bundle: Bundle):
    ambient = make_file(1.0, {100: (0.0, 0.0, 0.9), 101: (0.0, 0.0, 0.9)})
    found = calibrate_bundle(tones_bundle, [VALIDATION], [ambient], Budget(2.0), grid=GRID)
    assert found.policies["noise"] == tones_bundle.manifest.policies["noise"]
    assert found.findings[2].ambient is not None
    assert found.findings[2].ambient.alarms == 1
    assert found.remarks[-1] == (
        "noise: not heard in the validation audio, its policy stays as it was; "
        "no recording shows whether a sound passes it"
    )


def test_short_ambient_audio_allows_no_claim(tones_bundle: Bundle):
    found = calibrate_bundle(
        tones_bundle, [VALIDATION], [make_file(1.0, {})], Budget(1.0), grid=GRID
    )
    assert not found.claimed
    assert found.remarks[0] == (
        "0 alarms in 1.00 h of ambient audio allow to claim at most 71.9 false alarms a day (95 %), "
        "not 1; 71.9 h without an alarm would be needed"
    )
    long = calibrate_bundle(
        tones_bundle, [VALIDATION], [make_file(80.0, {})], Budget(1.0), grid=GRID
    )
    assert long.claimed
    assert not any("claim" in remark for remark in long.remarks)


def test_without_ambient_audio_nothing_is_known(tones_bundle: Bundle):
    found = calibrate_bundle(tones_bundle, [VALIDATION], [], Budget(1.0), grid=GRID)
    assert (found.ambient, found.claimed) == (None, False)
    assert found.remarks[0].startswith("no ambient audio: nothing is known of false alarms")


def test_a_budget_that_no_policy_keeps_is_in_the_remarks(tones_bundle: Bundle):
    loud = make_file(1.0, dict.fromkeys(range(0, 7500, 10), (1.0, 0.0, 0.0)))
    found = calibrate_bundle(tones_bundle, [VALIDATION], [loud], Budget(1.0), grid=GRID)
    assert any(r.startswith("low_tone: no policy keeps to the budget") for r in found.remarks)


LOUD = make_file(24.0, dict.fromkeys(range(0, 5000, 10), (0.85, 0.0, 0.0)))  # 500 a day


def test_a_budget_that_leaves_a_label_deaf_is_refused_with_the_one_that_would_not(
    tones_bundle: Bundle,
):
    """Of the low tones, 0.8 and 0.4, neither is louder than what ambient audio has 500 times a day."""
    found = calibrate_bundle(tones_bundle, [VALIDATION], [LOUD], Budget(5.0, "f1", 0.5), grid=GRID)
    refusal = explain_refusal(found)
    assert refusal is not None
    assert refusal.startswith(
        "a budget of 5 false alarms a day leaves less than 50 % of low_tone 0.0 % "
        "(0 of 2 sounds, 0 before; 1000 a day would keep it). Nothing is changed"
    )
    assert "high_tone" not in refusal
    larger = Budget(1000.0, "f1", 0.5)
    found = calibrate_bundle(tones_bundle, [VALIDATION], [LOUD], larger, grid=GRID)
    assert explain_refusal(found) is None
    accepted = calibrate_bundle(tones_bundle, [VALIDATION], [LOUD], Budget(5.0), grid=GRID)
    assert explain_refusal(accepted) is None
    assert any(
        remark.startswith("low_tone: no sound passes its policy: it reaches 0.8 of ")
        for remark in accepted.remarks
    )


def test_every_budget_step_has_its_threshold_and_recall(tones_bundle: Bundle):
    found = calibrate_bundle(tones_bundle, [VALIDATION], [LOUD], Budget(1000.0), grid=GRID)
    steps = found.findings[0].steps
    assert [step.false_alarms_per_day for step in steps] == [0.1, 1.0, 5.0, 24.0, 1000.0]
    assert [step.recall for step in steps] == [0.0, 0.0, 0.0, 0.0, 1.0]
    assert steps[0].on_threshold > 0.8 > steps[-1].on_threshold


def test_the_recall_before_is_that_of_the_old_policies(tones_bundle: Bundle):
    """Their median of three slots swallows tones of one slot."""
    found = calibrate_bundle(tones_bundle, [VALIDATION], [], Budget(1.0), grid=GRID)
    assert [each.before and each.before.recall for each in found.findings] == [0.0, 0.0, None]


HELD_BACK = make_file(0.001, dict.fromkeys(range(8), (0.0, 0.0, 0.4)), *spans("noise", 3))


def test_held_back_clips_show_that_no_sound_passes_a_policy(tones_bundle: Bundle):
    budget = Budget(1.0)
    found = calibrate_bundle(
        tones_bundle, [VALIDATION], [], budget, held_back=[HELD_BACK], grid=GRID
    )
    assert found.policies["noise"] == tones_bundle.manifest.policies["noise"]
    assert found.remarks[-1] == (
        "noise: not heard in the validation audio, its policy stays as it was; "
        "no sound passes it: it reaches 0.4 of 0.5 in 1 held-back clips"
    )


def test_held_back_clips_stand_for_missing_recordings(tones_bundle: Bundle):
    found = calibrate_bundle(tones_bundle, [], [], Budget(1.0), held_back=[HELD_BACK], grid=GRID)
    assert found.policies["noise"].on_threshold <= 0.4
    assert (found.held_back, explain_refusal(found)) == (1, None)
    assert any(remark.startswith("recall is that of 1 clips") for remark in found.remarks)


def test_held_back_clips_are_scored_as_files_of_the_bundles_labels(
    tones_bundle: Bundle, tmp_path: Path
):
    clips = tuple(
        replace(CLIP, path=write_quiet(tmp_path / f"{at}.wav", 3.0, at), exhaustive=exhaustive)
        for at, exhaustive in ((0.0, True), (1.0, False))
    )
    held = make_regression_set(
        ClipTable(clips, ("noise", "low_tone")), ("noise", "low_tone"), PARAMS
    )
    assert held is not None
    known, vague = score_held_back(open_scorer(tones_bundle), held, tones_bundle.labels)
    assert known.scores.shape == (6, 3)  # patches of 0.96 s every 0.48 s, the last one padded
    assert known.truth == (LabelSpan("low_tone", 0.0, known.seconds),)
    assert known.seconds == pytest.approx(3.36)
    assert known.scores[:, 0].max() > 0.5
    assert known.scores[:, 2].max() > 0.0
    assert vague.scores[:, 1:].max() == 0.0  # of high_tone nothing is known, nor here of noise


@pytest.mark.parametrize(("files", "budget"), [([], 1.0), ([VALIDATION], 0.0)])
def test_wrong_use_is_refused(tones_bundle: Bundle, files: list[ScoredFile], budget: float):
    with pytest.raises(ValueError, match="expected over 0 false alarms a day and validation audio"):
        calibrate_bundle(tones_bundle, files, [], Budget(budget))


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


def test_labelled_spans_stay_as_they_are():
    given = LabelSpan("low_tone", 1.0, 2.0)
    both = replace(CLIP, labels=frozenset({"low_tone", "noise"}), spans=(given,))
    timed, whole = spans_of(both, tone(500.0, 0.5, 3.0), PARAMS)
    assert timed == given
    assert whole == LabelSpan("noise", 0.0, 3.0)


def test_in_a_clip_that_is_quiet_throughout_the_label_spans_all_of_it():
    assert spans_of(CLIP, silence(3.0), PARAMS) == (LabelSpan("low_tone", 0.0, 3.0),)


def test_the_scores_of_an_unknown_label_are_0(tones_bundle: Bundle, tmp_path: Path):
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

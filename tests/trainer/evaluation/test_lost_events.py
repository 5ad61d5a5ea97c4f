"""What a bundle loses in events: by counts on the same clips, and never by chance alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from listener.detection.policy import LabelPolicy
from trainer.evaluation.clip_metrics import decide
from trainer.evaluation.lost_events import Change, compare_labels, interval, show_regressions
from trainer.evaluation.scored_file import ScoredFile
from trainer.evaluation.station_events import count_events

HOP_SECONDS = 0.24
LABELS = ("car_horn", "engine")


def horn_clips(horn: float, engine: float) -> list[ScoredFile]:
    """Three clips of 4.8 s: a horn of such a score for 2 s, an engine of such a score throughout."""
    scores = np.full((20, 2), (0.02, engine), np.float32)
    scores[4:12, 0] = horn
    return [ScoredFile("horn", scores, HOP_SECONDS * np.arange(21, dtype=np.float64))] * 3


def test_mean_scores_say_lost_where_the_station_hears_every_clip():
    """After "that is music" the horn scores lower and the engine a bit higher: its mean wins."""
    files = {"before": horn_clips(0.95, 0.3), "after": horn_clips(0.8, 0.4)}
    right = {
        when: decide(np.stack([each.scores.mean(axis=0) for each in clips]), single_label=True)[
            :, 0
        ]
        for when, clips in files.items()
    }
    assert (right["before"].mean(), right["after"].mean()) == (1.0, 0.0)
    policies = dict.fromkeys(LABELS, LabelPolicy())
    counts = [count_events(clips, policies, HOP_SECONDS) for clips in files.values()]
    targets = np.array([[True, False]] * 3)
    (horn,) = compare_labels(LABELS, targets, np.ones_like(targets), *counts)
    assert (horn.clips, horn.heard_before, horn.heard_after, horn.forgotten) == (3, 3, 3, 0)
    assert not horn.is_lost(0.0)


def test_what_a_raised_threshold_no_longer_lets_through_is_lost():
    """The same scores, another policy: mean scores would see no change."""
    clips = horn_clips(0.8, 0.1)
    before, after = (
        count_events(clips, dict.fromkeys(LABELS, LabelPolicy(on, 0.3)), HOP_SECONDS)
        for on in (0.5, 0.9)
    )
    targets = np.array([[True, False]] * 3)
    (horn,) = compare_labels(LABELS, targets, np.ones_like(targets), before, after)
    assert horn.lost_points == 100.0
    assert horn.is_lost(1.0)
    assert horn.fault(1.0) == "car_horn hears 0 of 3 clips, before 3"


@pytest.mark.parametrize(
    ("clips", "may_be_lost"), [(1, 0), (2, 0), (3, 1), (5, 1), (10, 1), (30, 2), (100, 3)]
)
def test_how_many_of_few_clips_chance_explains(clips: int, may_be_lost: int):
    """With a limit of one point; the least loss that refuses is the exact interval's."""
    assert not Change(clips, may_be_lost, 0).exceeds(1.0)
    assert Change(clips, may_be_lost + 1, 0).exceeds(1.0)
    lows = [
        stats.binomtest(lost, clips).proportion_ci(method="exact").low
        for lost in (may_be_lost, may_be_lost + 1)
    ]
    assert lows[0] <= 0.01 < lows[1]


@pytest.mark.parametrize(
    ("worse", "better", "lost"),
    [(4, 0, True), (3, 0, False), (10, 5, False), (22, 18, False), (22, 5, True), (5, 9, False)],
)
def test_clips_that_change_both_ways_are_chance(worse: int, better: int, lost: bool):
    """Of a hundred; McNemar's test needs many more that became worse than better."""
    assert Change(100, worse, better).exceeds(1.0) is lost
    if lost and better:
        test = stats.binomtest(worse, worse + better, alternative="greater")
        assert test.pvalue < 0.025


def test_the_limit_is_the_one_that_was_asked_for():
    assert Change(10, 1, 0).exceeds(0.0)  # not one clip
    assert not Change(10, 0, 0).exceeds(0.0)
    assert Change(10, 3, 0).exceeds(5.0)
    assert not Change(10, 3, 0).exceeds(10.0)
    assert not Change(10, 10, 0).exceeds(100.0)
    assert Change(5000, 200, 0).exceeds(1.0)
    assert not Change(0, 0, 0).exceeds(0.0)


@pytest.mark.parametrize(("hits", "count"), [(0, 3), (3, 3), (7, 10), (99, 100)])
def test_the_interval_is_wilsons(hits: int, count: int):
    expected = stats.binomtest(hits, count).proportion_ci(method="wilson")
    assert interval(hits, count) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_of_no_clip_nothing_is_known():
    assert interval(0, 0) == (0.0, 1.0)


def test_a_label_that_is_heard_in_all_others_is_refused():
    """Of ten other clips four have a wrong event now; its own clips are heard as before."""
    targets = np.array([[True]] * 2 + [[False]] * 10)
    before, after = targets.astype(np.intp), targets.astype(np.intp)
    after[2:6] = 3
    (dog,) = compare_labels(("dog",), targets, np.ones_like(targets), before, after)
    assert (dog.others, dog.wrong_before, dog.wrong_after, dog.newly_wrong) == (10, 0, 4, 4)
    assert (dog.lost_points, dog.wrong_points) == (0.0, 40.0)
    assert dog.fault(1.0) == "dog has a wrong event in 4 of 10 other clips, before in 0"


def test_clips_of_which_nothing_is_known_do_not_count():
    targets = np.array([[True, False], [False, False]])
    known = np.array([[True, False], [False, True]])
    events = np.array([[1, 1], [1, 1]])
    (dog,) = compare_labels(("dog", "cat"), targets, known, np.zeros_like(events), events)
    assert (dog.clips, dog.heard_before, dog.heard_after) == (1, 0, 1)
    assert (dog.others, dog.wrong_after) == (0, 0)


def test_the_table_has_both_figures_and_the_interval(capsys: pytest.CaptureFixture[str]):
    targets = np.array([[True]] * 3 + [[False]] * 4)
    before, after = targets.astype(np.intp), targets.astype(np.intp)
    after[0], after[3] = 0, 1
    show_regressions(compare_labels(("dog",), targets, np.ones_like(targets), before, after))
    row = " ".join(capsys.readouterr().err.splitlines()[-2].split())
    assert row == "dog 3 100.0 % 66.7 % 21 to 94 1 0 of 4 1 of 4"

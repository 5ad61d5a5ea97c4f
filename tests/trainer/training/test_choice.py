"""The network is kept only where it is right about more clips than chance gives to one of two."""

from __future__ import annotations

from tests.trainer.training.test_held_scores import AS_IS, held, softmax_of
from trainer.training.choice import Candidate, choose

RIGHT, WRONG = [[2, 1, 0]], [[1, 2, 0]]


def candidate(name: str, *clips, copies: bool = True) -> Candidate:
    return Candidate(name, softmax_of(*clips), AS_IS, copies=copies)


def regression(*logits, copies: bool = True) -> Candidate:
    """Clip n is of fold n + 1."""
    clips = [held("a", each, fold) for fold, each in enumerate(logits, start=1)]
    return candidate("logistic regression", *clips, copies=copies)


def test_a_network_that_is_no_better_is_not_kept():
    both = regression(WRONG, RIGHT)
    kept, why = choose(both, both, candidate("network", held("a", RIGHT, 2)))
    assert kept is both
    assert why == (
        "head: logistic regression 100.0 %, network 100.0 % on 1 clips of fold 2: "
        "logistic regression kept"
    )


def test_a_better_network_is_kept():
    both = regression(RIGHT, WRONG, WRONG)
    network = candidate("network", held("a", RIGHT, 2), held("a", RIGHT, 3))
    kept, why = choose(both, both, network)
    assert kept is network
    assert why.endswith("on 2 clips of fold 2, 3: network kept")


def test_one_clip_more_may_be_chance():
    one, two = regression(RIGHT, WRONG), regression(RIGHT, RIGHT)
    assert not two.beats(one)
    assert not one.beats(two)
    ahead = regression(RIGHT, RIGHT, RIGHT, WRONG)
    assert not ahead.beats(regression(WRONG, WRONG, WRONG, RIGHT))  # three against one
    assert ahead.beats(regression(WRONG, WRONG, WRONG, WRONG))


def test_copies_are_given_up_only_for_a_better_floor():
    copies, floor = regression(RIGHT, WRONG, WRONG), regression(RIGHT, RIGHT, RIGHT, copies=False)
    assert choose(copies, floor, None)[0] is floor
    assert choose(copies, regression(RIGHT, WRONG, RIGHT, copies=False), None)[0] is copies
    assert choose(copies, regression(RIGHT, WRONG, WRONG, copies=False), None)[0] is copies

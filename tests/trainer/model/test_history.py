"""The best epoch, and when patience is over."""

from __future__ import annotations

import pytest

from trainer.model.history import Epoch, History


def history_of(*losses: float | None) -> History:
    history = History()
    for number, loss in enumerate(losses, start=1):
        history = history.plus(Epoch(number, 1.0, loss))
    return history


def test_the_best_epoch_has_the_lowest_validation_loss():
    assert history_of(0.5, 0.3, 0.4).best.number == 2


def test_of_equals_the_first_is_best():
    assert history_of(0.3, 0.3).best.number == 1


def test_without_validation_the_last_is_best():
    assert history_of(None, None).best.number == 2
    assert not history_of(None, None).is_over(patience=1)


@pytest.mark.parametrize(("losses", "over"), [((0.3, 0.4), False), ((0.3, 0.4, 0.5), True)])
def test_patience_counts_the_epochs_since(losses, over: bool):
    assert history_of(*losses).is_over(patience=2) is over


def test_no_epoch_is_best_of_none():
    assert not History().is_over(1)
    with pytest.raises(ValueError, match="expected at least one epoch, got none"):
        _ = History().best

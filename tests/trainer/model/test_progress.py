"""The best epoch, when a training is over, and one line a training in a pipe."""

from __future__ import annotations

import logging

import pytest

from trainer.model.progress import Epoch, History, epochs_bar


def test_the_last_epoch_is_one_line(caplog: pytest.LogCaptureFixture, capsys):
    with caplog.at_level(logging.INFO, "trainer"), epochs_bar("training", 20) as show:
        show(Epoch(1, 0.9, 0.8, 0.5))
        show(Epoch(2, 0.21, 0.18, 0.975))
    line = "training: epoch 2: loss 0.210, validation 0.180, accuracy 97.5 %"
    assert caplog.messages == [line]
    assert capsys.readouterr() == ("", "")


def test_without_validation_only_the_loss_is_shown():
    assert str(Epoch(1, 0.5)) == "loss 0.500"


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

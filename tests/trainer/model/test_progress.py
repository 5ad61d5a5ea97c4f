"""Into a pipe goes one line a training, and no bar."""

from __future__ import annotations

import logging

import pytest

from trainer.model.progress import clips_bar, describe, epochs_bar
from trainer.model.validation import Epoch


def test_the_last_epoch_is_one_line(caplog: pytest.LogCaptureFixture, capsys):
    with caplog.at_level(logging.INFO, "trainer"), epochs_bar("training", 20) as show:
        show(Epoch(1, 0.9, 0.8, 0.5))
        show(Epoch(2, 0.21, 0.18, 0.975))
    line = "training: epoch 2: loss 0.210, validation 0.180, accuracy 97.5 %"
    assert caplog.messages == [line]
    assert capsys.readouterr() == ("", "")


def test_a_pass_over_clips_is_one_line(caplog: pytest.LogCaptureFixture, capsys):
    with caplog.at_level(logging.INFO, "trainer"), clips_bar() as begin:
        progress = begin("embedding, clips")
        progress(1, 2)
    assert caplog.messages == ["embedding, clips"]
    assert capsys.readouterr() == ("", "")


def test_without_validation_there_is_the_loss_alone():
    assert describe(Epoch(1, 0.5)) == "loss 0.500"

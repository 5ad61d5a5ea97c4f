"""Settings out of range are refused by name."""

from __future__ import annotations

import pytest

from trainer.model.settings import FitSettings, HeadShape


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate: expected more than 0, got 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate: expected more than 0, got nan"),
        ({"max_epochs": 0}, "max_epochs: expected more than 0, got 0"),
        ({"weight_decay": -1.0}, "weight_decay: expected at least 0, got -1.0"),
        ({"label_smoothing": 1.0}, r"label_smoothing: expected \[0, 1\), got 1.0"),
        ({"stop_after": 31}, "stop_after: expected 1 to 30 epochs, got 31"),
        ({"head": {"hidden": -1}}, "hidden: expected at least 0 units, got -1"),
        ({"head": {"dropout": 1.0}}, r"dropout: expected a share in \[0, 1\), got 1.0"),
    ],
)
def test_a_number_out_of_its_range_is_refused(settings, message: str):
    with pytest.raises(ValueError, match=message):
        FitSettings(**settings)


def test_stop_after_limits_the_epochs():
    assert FitSettings(max_epochs=20).epochs == 20
    assert FitSettings(max_epochs=20, stop_after=7).epochs == 7
    assert FitSettings(head=HeadShape(hidden=3)).head.hidden == 3

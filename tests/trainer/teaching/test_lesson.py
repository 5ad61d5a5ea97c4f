"""A lesson that cannot be taught is refused."""

from __future__ import annotations

import pytest

from trainer.teaching.lesson import Lesson


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"copies": -1}, "copies: expected at least 0, got -1"),
        ({"heads": 0}, "heads: expected at least 1, got 0"),
        ({"batch_size": 0}, "batch_size: expected at least 1, got 0"),
        ({"heads": 2, "fit": {"head": {"hidden": 8}}}, "heads: expected 1, as only linear heads"),
        ({"heads": 2, "fit": {"thawing": {"blocks": 1}}}, "heads: expected 1"),
    ],
)
def test_an_impossible_choice_is_refused(choices, message: str):
    with pytest.raises(ValueError, match=message):
        Lesson(**choices)

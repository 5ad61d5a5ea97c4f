"""A recipe that cannot be used is refused, and a file gives it back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trainer.errors import DataError
from trainer.model.settings import FitSettings, HeadShape
from trainer.training.recipe import Recipe, read_recipe, write_recipe


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
        Recipe(**choices)


def test_a_recipe_comes_back_as_it_was(tmp_path: Path):
    recipe = Recipe(fit=FitSettings(head=HeadShape(8, 0.5), learning_rate=1e-3), copies=1)
    write_recipe(tmp_path / "best.json", recipe, {"accuracy": 0.98})
    assert read_recipe(tmp_path / "best.json") == recipe
    assert json.loads((tmp_path / "best.json").read_text())["found"] == {"accuracy": 0.98}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "expected a recipe of `trainer search`, found none"),
        ("[]", "expected a recipe of `trainer search`, found none"),
        ('{"found": {}}', "expected a recipe of `trainer search`, found none"),
        ('{"lesson": {"copies": "many"}}', "best.json: copies: Input should be a valid integer"),
        ('{"lesson": {"colour": 1}}', "best.json: colour: "),
        ('{"lesson": {"copies": -1}}', "copies: expected at least 0, got -1"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: str, message: str):
    (tmp_path / "best.json").write_text(content)
    with pytest.raises(DataError, match=message):
        read_recipe(tmp_path / "best.json")


def test_a_missing_file_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"best.json: expected a recipe .*: No such file"):
        read_recipe(tmp_path / "best.json")

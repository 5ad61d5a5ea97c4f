"""CREDITS.md names every package of the world benchmark with its licence and authors."""

import tomllib

import numpy as np

from benchmarks.world.credits import CREDITS, PACKAGES, bank_credits, credits_of
from trainer.background.bank import BANK_FILES, CREDITS_FILE


def test_each_package_is_a_row_in_the_order_of_names() -> None:
    row = {"part": "test", "kind": "speech", "licence": "CC0-1.0", "credit": "A | B"}

    text = credits_of([row | {"name": "b-data"}, row | {"name": "a-data"}])

    assert text.splitlines()[-2:] == [
        "| a-data | test | speech | CC0-1.0 | A \\| B |",
        "| b-data | test | speech | CC0-1.0 | A \\| B |",
    ]


def test_the_file_is_the_one_that_the_table_gives() -> None:
    packages = tomllib.loads(PACKAGES.read_text(encoding="utf-8"))["package"]

    assert CREDITS.read_text(encoding="utf-8") == credits_of(packages)


def test_the_file_of_the_bank_is_the_one_that_its_sources_give() -> None:
    with np.load(BANK_FILES[0], allow_pickle=False) as arrays:
        assert CREDITS_FILE.read_text(encoding="utf-8") == bank_credits(arrays["sources"].tolist())

"""CREDITS.md names every package of the world benchmark with its licence and authors."""

import tomllib

from benchmarks.world.credits import CREDITS, PACKAGES, credits_of


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

"""The card names every author whose clips are used; clips under a forbidding licence are left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainer.errors import DataError
from trainer.starter.card import Credit, credit_lines, is_used, read_credits

CREDITS = [
    Credit("1-1-A", "zoe", "CC-BY"),
    Credit("1-2-A", "Adam", "CC0"),
    Credit("1-2-B", "Adam", "CC0"),
    Credit("2-3-A", "sam", "CC-Sampling+"),
]


def test_a_line_for_each_author():
    assert credit_lines(CREDITS) == "- Adam (CC0): 1-2-A, 1-2-B\n- zoe (CC-BY): 1-1-A\n"


def test_a_clip_is_used_if_its_licence_allows():
    assert is_used("1-1-A-0", CREDITS)
    assert not is_used("2-3-A-8", CREDITS)
    assert not is_used("5-9-A-8", CREDITS)  # without a known author


def test_esc10s_own_file_names_all_400(shared: Path):
    read = read_credits(shared / "data" / "esc10")
    assert len({credit.clip for credit in read}) == 400
    assert sum(credit.licence == "CC-Sampling+" for credit in read) == 2
    assert Credit("1-110389-A", "soundscalpel.com", "CC-BY") in read


def test_no_licence_file_is_one_clear_line(tmp_path: Path):
    with pytest.raises(DataError, match=r"LICENSE\.md: expected ESC-10's licence file"):
        read_credits(tmp_path)
    (tmp_path / "LICENSE.md").write_text("All rights reserved\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"expected the author of every clip, found none"):
        read_credits(tmp_path)

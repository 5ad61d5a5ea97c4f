"""The token comes from a file and has a minimum length."""

from __future__ import annotations

from pathlib import Path

import pytest

from listener.config.station import ConfigError
from listener.control.http_commands import read_token


def test_the_token_is_the_content_of_the_file_without_its_newline(tmp_path: Path):
    (tmp_path / "token").write_text("sixteen-letters!\n")
    assert read_token(tmp_path / "token") == b"sixteen-letters!"


def test_a_short_token_is_refused(tmp_path: Path):
    (tmp_path / "token").write_text("fifteen-letters\n")
    with pytest.raises(ConfigError, match=r"expected at least 16 characters in .*token, got 15"):
        read_token(tmp_path / "token")


def test_a_missing_token_file_is_one_line(tmp_path: Path):
    with pytest.raises(
        ConfigError, match=r"control\.http_token_file: cannot read .*: No such file"
    ):
        read_token(tmp_path / "token")

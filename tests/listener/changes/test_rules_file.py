"""Rules are kept on disk, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from listener.changes.rules import MuteRule, Rules, ThresholdRule
from listener.changes.rules_file import read_rules, write_rules

RULES = Rules((ThresholdRule("hall", "loud", 0.9, 0.5),), (MuteRule(None, "quiet", 1e9),))


def test_what_was_written_is_read_by_its_owner_alone(tmp_path: Path):
    path = tmp_path / "state.json"
    write_rules(path, Rules())
    write_rules(path, RULES)
    assert read_rules(path) == RULES
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]


def test_no_file_is_no_rules(tmp_path: Path):
    assert read_rules(tmp_path / "none") == Rules()


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b'{"mutes": 3}', b'{"thresholds": [{"source": "../x"}]}']
)
def test_what_is_no_rules_is_put_aside_and_told_of(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "state.json"
    path.write_bytes(content)
    assert read_rules(path) == Rules()
    assert "put aside" in caplog.text
    assert (tmp_path / "state.json.corrupt").read_bytes() == content
    assert not path.exists()


def test_a_file_that_cannot_be_read_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    assert read_rules(tmp_path) == Rules()  # a directory
    assert "cannot be read: Is a directory" in caplog.text


def test_a_disk_that_fails_leaves_what_was_there(tmp_path: Path):
    path = tmp_path / "state.json"
    write_rules(path, RULES)
    (tmp_path / "state.json.partial").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_rules(path, Rules())
    assert read_rules(path) == RULES

"""Commands are read from JSON, or refused in one line."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from listener.control.commands import (
    COMMAND_NAMES,
    MAX_COMMAND_BYTES,
    CommandError,
    Flag,
    LabelMark,
    Mute,
    Reload,
    Replay,
    SetThreshold,
    Snapshot,
    Unmute,
    parse_command,
)

ULID = "01JD9Z6T3W8Q5V1N2M4K7B0C9E"
AT = "2026-11-20T03:12:31.500+01:00"
SENT = {"id": "hush-1", "at": AT}
WHEN = datetime(2026, 11, 20, 2, 12, 31, 500_000, UTC)


def parse(name: str, **fields: object) -> object:
    return parse_command(name, json.dumps(SENT | fields).encode())


def test_every_command_is_read_with_its_fields():
    mark = {"label": "dog", "onset": 0.5, "offset": 2}
    assert parse(
        "flag", clip=ULID, verdict="labels", labels=[mark, {"label": "cat"}], who="Ada"
    ) == Flag(
        id="hush-1",
        at=WHEN,
        clip=ULID,
        verdict="labels",
        labels=(LabelMark("dog", 0.5, 2.0), LabelMark("cat")),
        who="Ada",
    )
    assert parse("mute", source="hall", label="dog", seconds=60) == Mute(
        id="hush-1", at=WHEN, source="hall", label="dog", seconds=60.0
    )
    assert parse("unmute") == Unmute(id="hush-1", at=WHEN)
    assert parse("threshold", label="dog", on=0.7) == SetThreshold(
        id="hush-1", at=WHEN, label="dog", on=0.7
    )
    assert parse("reload") == Reload(id="hush-1", at=WHEN)
    assert parse("snapshot", source="hall", seconds=9.5) == Snapshot(
        id="hush-1", at=WHEN, source="hall", seconds=9.5
    )
    assert parse("replay", from_seq=3, to_seq=9) == Replay(
        id="hush-1", at=WHEN, from_seq=3, to_seq=9
    )
    names = {"flag", "mute", "unmute", "threshold", "reload", "snapshot", "replay"}
    assert set(COMMAND_NAMES) == names


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"seconds": "60"}, "mute: seconds: Input should be a valid number, got '60'"),
        ({"seconds": True}, "mute: seconds: Input should be a valid number, got True"),
        ({}, "mute: seconds: expected one, it is missing"),
        ({"seconds": 1, "colour": 3}, "mute: 'colour': unknown key"),
        ({"seconds": 1, "at": 1_700_000_000}, "mute: at: "),
        ({"seconds": 1, "source": "Hall"}, "mute: source: "),
        ({"seconds": 604_801}, "mute: seconds: "),
        ({"seconds": -1}, "mute: seconds: "),
    ],
)
def test_a_wrong_field_is_one_line_that_names_it(fields: dict[str, object], error: str):
    with pytest.raises(CommandError) as refused:
        parse("mute", **fields)
    assert str(refused.value).startswith(error)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "clip", ["", ULID.lower(), ULID + "/", ULID + "\n", "../" + ULID[3:], "U" * 26]
)
def test_a_clip_is_a_ulid(clip: str):
    with pytest.raises(CommandError, match="clip: String should match"):
        parse("flag", clip=clip, verdict="right")


def test_an_error_quotes_a_long_value_in_part():
    with pytest.raises(CommandError) as refused:
        parse("mute", seconds="9" * 5000)
    assert len(str(refused.value)) < 200
    with pytest.raises(CommandError) as refused:
        parse_command("x" * 5000, b"{}")
    assert len(str(refused.value)) < 200


def test_the_size_is_checked_before_the_payload_is_read():
    whole = json.dumps(SENT).encode()
    exactly = whole + b" " * (MAX_COMMAND_BYTES - len(whole))
    assert parse_command("reload", exactly) == Reload(id="hush-1", at=WHEN)
    with pytest.raises(CommandError, match="expected at most 8192 bytes, got 8193"):
        parse_command("reload", exactly + b" ")


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b"{", b"\xff", b'"x"', b"[" * 8000])
def test_a_payload_that_is_no_document_is_refused(payload: bytes):
    with pytest.raises(CommandError, match=r"^reload: "):
        parse_command("reload", payload)

"""Clips cut from one recording are known by their file names."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainer.data.groups import group_of


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("1-172649-B-40.wav", "esc/172649"),
        ("5-172649-A-12.ogg", "esc/172649"),
        ("kitchen_003.wav", "set/kitchen"),
        ("kitchen-4.wav", "set/kitchen"),
        ("kitchen 5.wav", "set/kitchen"),
        ("kitchen (6).wav", "set/kitchen"),
        ("take1_12.wav", "set/take1"),
        ("0a7c_nohash_1.wav", "set/0a7c_nohash"),
        ("kitchen.wav", "set/dog/kitchen"),
        ("003.wav", "set/dog/003"),
        ("dog_003.wav", "set/dog/dog_003"),
        ("Dog 3.wav", "set/dog/Dog 3"),
    ],
)
def test_the_recording_is_in_the_name(name: str, group: str):
    assert group_of(Path("set/dog") / name, "set", "dog") == group

"""The generated audio that thresholds are set by and figures are measured on."""

from __future__ import annotations

from collections.abc import Iterator

from listener.soundscape import Programme, Scene, ambience, busy_ambience, random_scene
from trainer.starter.labels import ALARM_SOUNDS

SCENE_SECONDS = 30.0
BACKGROUND_SECONDS = 60.0
BACKGROUND_DBFS = (-80.0, -15.0)  # a silent room to a loud one
TEST_SNR_DB = 10.0
_SEEDS_APART = 1_000_000


def background_scenes(minutes: int, seed: int) -> Iterator[Scene]:
    """A minute each, nothing in it: noise at a drawn level, in every other one knocks and clicks."""
    for minute in range(minutes):
        programme = Programme(
            seconds=BACKGROUND_SECONDS,
            sounds_per_scene=0,
            background_dbfs=BACKGROUND_DBFS,
            backgrounds=(busy_ambience if minute % 2 else ambience,),
        )
        yield random_scene(programme, seed * _SEEDS_APART + minute)


def alarm_scenes(minutes: int, seed: int, snr_db: float = TEST_SNR_DB) -> Iterator[Scene]:
    """Half a minute each with two alarms at `snr_db`: the scenes of `trainer soundscape`."""
    programme = Programme(seconds=SCENE_SECONDS, snr_db=snr_db, sounds=ALARM_SOUNDS)
    for number in range(minutes * 2):
        yield random_scene(programme, seed * _SEEDS_APART + number)

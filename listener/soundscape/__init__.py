"""Generated sounds and mixed scenes with exact ground truth. Pure: the same seed gives the same samples.

Used by the demo and the tests, and by the trainer.
"""

from listener.soundscape.alarms import co_alarm, low_smoke_alarm, smoke_alarm
from listener.soundscape.catalogue import ALARMS, NOISES, STROKES
from listener.soundscape.home import (
    appliance_beep,
    busy_signal,
    dial_tone,
    doorbell,
    telephone_bell,
)
from listener.soundscape.noises import brown_noise, clicks, knocks, pink_noise, white_noise
from listener.soundscape.programme import Programme, ambience, busy_ambience, random_scene
from listener.soundscape.room import reverberate
from listener.soundscape.scene import PlacedSound, Scene, clip_sound, mix_scene
from listener.soundscape.vehicles import hi_lo, reversing_beeper, wail, yelp
from listener.soundscape.waves import SAMPLE_RATE_HZ, Generator

__all__ = [
    "ALARMS",
    "NOISES",
    "SAMPLE_RATE_HZ",
    "STROKES",
    "Generator",
    "PlacedSound",
    "Programme",
    "Scene",
    "ambience",
    "appliance_beep",
    "brown_noise",
    "busy_ambience",
    "busy_signal",
    "clicks",
    "clip_sound",
    "co_alarm",
    "dial_tone",
    "doorbell",
    "hi_lo",
    "knocks",
    "low_smoke_alarm",
    "mix_scene",
    "pink_noise",
    "random_scene",
    "reverberate",
    "reversing_beeper",
    "smoke_alarm",
    "telephone_bell",
    "wail",
    "white_noise",
    "yelp",
]

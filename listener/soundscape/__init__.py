"""Generated sounds and mixed scenes with exact ground truth. Pure: the same seed gives the same samples.

Used by the demo and the tests, and by the trainer.
"""

from listener.soundscape.scene import PlacedSound, Scene, clip_sound, mix_scene, reverberate
from listener.soundscape.schedule import Programme, ambience, busy_ambience, random_scene
from listener.soundscape.sounds import (
    ALARMS,
    NOISES,
    STROKES,
    appliance_beep,
    busy_signal,
    co_alarm,
    dial_tone,
    doorbell,
    hi_lo,
    low_smoke_alarm,
    reversing_beeper,
    smoke_alarm,
    telephone_bell,
    wail,
    yelp,
)
from listener.soundscape.synthesis import (
    SAMPLE_RATE_HZ,
    Generator,
    brown_noise,
    clicks,
    knocks,
    pink_noise,
    white_noise,
)

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

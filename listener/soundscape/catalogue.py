"""Which generated sounds there are, by label."""

from __future__ import annotations

from collections.abc import Mapping

from listener.soundscape.alarms import co_alarm, low_smoke_alarm, smoke_alarm
from listener.soundscape.home import (
    appliance_beep,
    busy_signal,
    dial_tone,
    doorbell,
    telephone_bell,
)
from listener.soundscape.noises import brown_noise, clicks, knocks, pink_noise, white_noise
from listener.soundscape.vehicles import hi_lo, reversing_beeper, wail, yelp
from listener.soundscape.waves import Generator

ALARMS: Mapping[str, tuple[Generator, ...]] = {
    "smoke_alarm": (smoke_alarm, low_smoke_alarm),
    "co_alarm": (co_alarm,),
    "siren": (wail, yelp, hi_lo),
    "reversing_beeper": (reversing_beeper,),
    "doorbell": (doorbell,),
    "appliance_beep": (appliance_beep,),
    "telephone": (telephone_bell, busy_signal, dial_tone),
}
NOISES: tuple[Generator, ...] = (white_noise, pink_noise, brown_noise)
STROKES: tuple[Generator, ...] = (knocks, clicks)  # what happens in any room and is no alarm

"""What the starter bundle hears."""

from __future__ import annotations

from listener.detection.bundle import Label
from listener.soundscape import ALARMS

ESC10_LABELS = (
    Label("dog", "Dog"),
    Label("rain", "Rain"),
    Label("sea_waves", "Sea waves"),
    Label("crying_baby", "Crying baby"),
    Label("clock_tick", "Clock tick"),
    Label("sneezing", "Sneezing"),
    Label("helicopter", "Helicopter"),
    Label("chainsaw", "Chainsaw"),
    Label("rooster", "Rooster"),
    Label("crackling_fire", "Crackling fire"),
)
ALARM_LABELS = (
    Label("smoke_alarm", "Smoke alarm"),
    Label("co_alarm", "Carbon monoxide alarm"),
    Label("siren", "Siren"),
    Label("reversing_beeper", "Reversing beeper"),
    Label("doorbell", "Doorbell"),
    Label("appliance_beep", "Appliance beep"),
    Label("telephone", "Telephone"),
)
LABELS = ESC10_LABELS + ALARM_LABELS
COLUMNS = {label.slug: column for column, label in enumerate(LABELS)}
ALARM_SOUNDS = {label.slug: ALARMS[label.slug] for label in ALARM_LABELS}

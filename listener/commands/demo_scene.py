"""The soundscape of `listener demo`, and what an outsider heard of it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from listener.config.station import ConfigError
from listener.soundscape import (
    Generator,
    PlacedSound,
    Scene,
    busy_signal,
    mix_scene,
    pink_noise,
    reversing_beeper,
    smoke_alarm,
    yelp,
)

SCENE_SECONDS = 28.0
_LEAST_OVERLAP_SECONDS = 1.0

# When something sounds, and what it may be: labels of the starter bundle, then of YAMNet
_SLOTS = ((3.0, 9.0), (12.0, 17.0), (20.0, 25.0))
_SOUNDS: dict[str, Generator] = {
    "smoke_alarm": smoke_alarm,
    "siren": yelp,
    "telephone": busy_signal,
    "reversing_beeper": reversing_beeper,
    "smoke_detector_smoke_alarm": smoke_alarm,
    "busy_signal": busy_signal,
    "pink_noise": pink_noise,
}


def make_demo_scene(labels: Collection[str]) -> Scene:
    """Half a minute with up to three sounds that a bundle with these labels knows.

    Raises:
        ConfigError: it knows none of them.
    """
    known = [label for label in _SOUNDS if label in labels]
    if not known:
        raise ConfigError(f"bundle: expected one of the labels {', '.join(_SOUNDS)}, it has none")
    sounds = [
        (PlacedSound(label, onset, offset), _SOUNDS[label])
        for label, (onset, offset) in zip(known, _SLOTS, strict=False)
    ]
    return mix_scene(sounds, SCENE_SECONDS, snr_db=30.0)


@dataclass(frozen=True, slots=True)
class HeardEvent:
    """An event as an outside MQTT client received it; seconds of the scene, offset None while it lasts."""

    id: str
    label: str
    onset: float
    offset: float | None
    peak_score: float

    def matches(self, sound: PlacedSound) -> bool:
        """Whether it is this sound, at about the right time."""
        end = math.inf if self.offset is None else self.offset
        overlap = min(end, sound.offset) - max(self.onset, sound.onset)
        return self.label == sound.label and overlap >= _LEAST_OVERLAP_SECONDS


def first_match(sound: PlacedSound, heard: Iterable[HeardEvent]) -> HeardEvent | None:
    """The first event that is this sound; it may still last."""
    return next((event for event in heard if event.matches(sound)), None)


def not_heard(scene: Scene, heard: Collection[HeardEvent]) -> list[str]:
    """The labels of the sounds that no event that has ended is."""
    ended = [event for event in heard if event.offset is not None]
    return [sound.label for sound in scene.truth if first_match(sound, ended) is None]

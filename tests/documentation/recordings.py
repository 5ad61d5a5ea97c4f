"""What a reader of the pages would have recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from listener.soundscape.scene import PlacedSound, mix_scene
from listener.soundscape.synthesis import SAMPLE_RATE_HZ, Generator

ONSET, OFFSET, SECONDS = 5.0, 15.0, 20.0


def write_recording(path: Path, sound: Generator) -> None:
    """Twenty seconds in a room, with the sound from ONSET to OFFSET, 20 dB over the background."""
    placed = PlacedSound("recorded", ONSET, OFFSET)
    scene = mix_scene([(placed, sound)], SECONDS, snr_db=20.0, seed=1)
    soundfile.write(path, np.asarray(scene.samples), SAMPLE_RATE_HZ, subtype="PCM_16")

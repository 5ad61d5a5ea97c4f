"""Which clips are cut from one recording, by their file names.

Clips of one recording sound alike, so a test on one of them says little if another was trained on.
"""

from __future__ import annotations

import re
from pathlib import Path

# ESC-50's names: fold, Freesound id of the recording, take, target (K. J. Piczak, 2015)
_ESC = re.compile(r"\d+-(?P<recording>\d+)-[A-Z]-\d+")
_NUMBERED = re.compile(r"(?P<recording>.*[^\W\d_].*?)[ _-]*\(?\d+\)?")
_OTHER = re.compile(r"[\W_]+")


def group_of(audio: Path, data: str, label: str = "") -> str:
    """The recording that a file is cut from; `data` is the name of its data set, so that sets keep apart.

    - `1-172649-B-40` (ESC-50's form) is of recording 172649, whatever the set.
    - `kitchen_003`, `kitchen-3`, `kitchen 3`, `kitchen (3)` are of recording `kitchen`: the number counts
      its cuts. If what is left is the name of the class (`dog/dog_003`), the number counts recordings.
    - Any other file, and one whose name is a number, is a recording of its own in its folder.
    """
    if match := _ESC.fullmatch(audio.stem):
        return f"esc/{match['recording']}"
    match = _NUMBERED.fullmatch(audio.stem)
    if match and _plain(match["recording"]) != _plain(label):
        return f"{data}/{match['recording']}"
    return f"{data}/{audio.parent.name}/{audio.stem}"


def _plain(name: str) -> str:
    return _OTHER.sub("", name).lower()

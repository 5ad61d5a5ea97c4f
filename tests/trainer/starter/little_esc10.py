"""A folder in ESC-10's form, made by arithmetic: ten classes, each a tone of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from trainer.starter.strips import ESC10_LABELS

RATE = 16_000
FOLDS = (1, 2, 5)


def make_little_esc10(folder: Path) -> Path:
    """Two seconds a clip, one clip of each class in the folds 1, 2 and 5."""
    (folder / "audio").mkdir(parents=True)
    rows, licences = ["filename,fold,target,category,esc10,src_file,take"], []
    for target, label in enumerate(ESC10_LABELS):
        for fold in FOLDS:
            clip = f"{fold}-{1000 + target}-A"
            name = f"{clip}-{target}.ogg"
            soundfile.write(folder / "audio" / name, _tone(300.0 * (target + 1)), RATE)
            rows.append(f"{name},{fold},{target},{label.slug},True,{1000 + target}{fold},A")
            licences.append(_licence(clip, target))
    (folder / "esc10.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "LICENSE.md").write_text("\n".join(licences) + "\n", encoding="utf-8")
    return folder


def _tone(hz: float):
    return 0.3 * np.sin(2 * np.pi * hz * np.arange(2 * RATE) / RATE)


def _licence(clip: str, target: int) -> str:
    kind = ("CC0", "CC-BY")[target % 2]
    return (
        f"- **[{clip}.ogg](https://example.org/{clip}.ogg)**:  clip derived from [sound.wav]"
        f"(http://example.org/sounds/1/) by *author {target}* ([{kind}](http://example.org/l/))"
    )

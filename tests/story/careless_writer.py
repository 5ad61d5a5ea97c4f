"""`python -m tests.story.careless_writer DIRECTORY`: writes clips until it is killed.

As one might at first: in place, the sidecar as soon as everything is known that it says.
"""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from pathlib import Path

import soundfile
import typer

from listener.clips.layout import audio_path
from listener.detection.clip import analysis_bytes
from listener.detection.clip_files import analysis_path, record_bytes, sidecar_path
from tests.listener.clips.drafts import make_draft


def main(directory: Path) -> None:
    """Clip after clip."""
    typer.echo("ready")
    for number in itertools.count():
        cutting = make_draft(number)
        path = audio_path(directory, cutting.record.id)
        path.parent.mkdir(parents=True, exist_ok=True)
        sidecar_path(path).write_bytes(record_bytes(replace(cutting.record, path=path)))
        soundfile.write(path, cutting.samples, cutting.sample_rate_hz, subtype="PCM_16")
        analysis_path(path).write_bytes(analysis_bytes(cutting.analysis))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

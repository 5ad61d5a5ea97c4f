"""The audio of clips, one after the other, so that only one is in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from listener.detection.audio import Samples
from trainer.data.audio import read_audio
from trainer.data.clips import Clip, ClipTable, Quarantined
from trainer.data.quarantine import or_quarantined

Progress = Callable[[int, int], None]  # clips done, clips in all


def read_one_by_one(
    table: ClipTable, sample_rate_hz: int, progress: Progress | None
) -> Iterator[tuple[Clip, Samples | Quarantined]]:
    """Each clip with its samples, float32 (n,), or with why it cannot be read."""
    for number, clip in enumerate(table.clips, start=1):
        yield clip, or_quarantined(clip.path, partial(read_audio, clip, sample_rate_hz))
        if progress is not None:
            progress(number, len(table.clips))

"""The picture of `listener demo`: truth, scores and events over one axis of time."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from rich.console import Group
from rich.table import Table
from rich.text import Text

from listener.commands.terminal import level_bar, sparkline
from listener.commands.watch_screen import SourceView
from listener.config.station import ConfigError
from listener.soundscape.scene import PlacedSound, Scene, mix_scene
from listener.soundscape.sounds import busy_signal, reversing_beeper, smoke_alarm, yelp
from listener.soundscape.synthesis import Generator, pink_noise

SCENE_SECONDS = 28.0
_LEAST_OVERLAP_SECONDS = 1.0
# When something sounds, and what it may be: labels of the starter bundle, then of YAMNet
_SLOTS = ((3.0, 9.0), (12.0, 17.0), (20.0, 25.0))
_MOST_CELLS = 56  # half a second each, about a patch hop
_LEAST_CELLS = 12  # narrower, a line of time says nothing and is left out
_OTHER_CELLS = 38  # two pairs of times, the peak and the gaps
_LEVEL_CELLS = 24


# The soundscape of `listener demo`, and what an outsider heard of it.


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


@dataclass(slots=True)
class DemoProgress:
    """What is known at `now`, seconds of the scene; `scores` are (when read, smoothed score)."""

    scene: Scene
    now: float = 0.0
    level_dbfs: float | None = None
    heard: dict[str, HeardEvent] = field(default_factory=dict)
    scores: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def take_view(self, view: SourceView) -> None:
        """Level and scores as the station's metrics have them now."""
        self.level_dbfs = view.level_dbfs
        for label, score in view.scores.items():
            self.scores[label].append((self.now, score))

    def take_event(self, event: HeardEvent) -> None:
        """An event that begins, or the end of one."""
        self.heard[event.id] = event


def plain_table(progress: DemoProgress) -> Table:
    """What was played beside what was heard."""
    table = Table("sound", "played, s", "heard, s", "peak score", title=_title(progress))
    for sound in progress.scene.truth:
        event = first_match(sound, progress.heard.values())
        heard = "" if event is None else _span(event.onset, event.offset)
        table.add_row(sound.label, _span(sound.onset, sound.offset), heard, _peak(event))
    return table


def demo_picture(progress: DemoProgress, width: int) -> Group:
    """The same with lines of time, a level and colours, as wide as the terminal."""
    cells = _timeline_cells(progress.scene.truth, width)
    table = Table(box=None, padding=(0, 2, 1, 0), header_style="bold")
    table.add_column("sound")
    if cells:
        table.add_column(f"0 to {SCENE_SECONDS:g} s: played, score", no_wrap=True, min_width=cells)
    for name in ("played, s", "heard, s", "peak"):
        table.add_column(name)
    for sound in progress.scene.truth:
        _add_sound(table, progress, sound, cells)
    return Group(_title(progress), _level(progress, width), Text(), table)


def _title(progress: DemoProgress) -> str:
    return f"{min(progress.now, SCENE_SECONDS):4.1f} s"


def _level(progress: DemoProgress, width: int) -> Text:
    if progress.level_dbfs is None:
        return Text("level")
    bar = level_bar(progress.level_dbfs, min(_LEVEL_CELLS, max(1, width - 20)))
    return Text.assemble("level ", bar, f" {progress.level_dbfs:.1f} dBFS")


def _timeline_cells(truth: Collection[PlacedSound], width: int) -> int:
    longest = max(len(sound.label) for sound in truth)
    cells = min(_MOST_CELLS, width - longest - _OTHER_CELLS)
    return cells if cells >= _LEAST_CELLS else 0


def _add_sound(table: Table, progress: DemoProgress, sound: PlacedSound, cells: int) -> None:
    event = first_match(sound, progress.heard.values())
    lines = [Text("\n").join(_timeline(progress, sound, cells))] if cells else []
    played = _span(sound.onset, sound.offset)
    table.add_row(sound.label, *lines, played, _heard(progress, sound, event), _peak(event))


def _timeline(progress: DemoProgress, sound: PlacedSound, cells: int) -> tuple[Text, Text]:
    first, last = _cell(sound.onset, cells), _cell(sound.offset, cells)
    truth = Text(" " * first + "━" * (last - first), "blue")
    return truth, Text(sparkline(_score_cells(progress, sound.label, cells)), "cyan")


def _score_cells(progress: DemoProgress, label: str, cells: int) -> list[float | None]:
    """The highest score that was read in each cell's time; where none was, the one before."""
    found: list[float | None] = [None] * min(cells, _cell(progress.now, cells) + 1)
    for seconds, score in progress.scores[label]:
        cell = min(_cell(seconds, cells), len(found) - 1)
        found[cell] = max(found[cell] or 0.0, score)
    for cell in range(1, len(found)):
        found[cell] = found[cell - 1] if found[cell] is None else found[cell]
    return found


def _cell(seconds: float, cells: int) -> int:
    return int(min(seconds, SCENE_SECONDS) / SCENE_SECONDS * cells)


def _heard(progress: DemoProgress, sound: PlacedSound, event: HeardEvent | None) -> Text:
    if event is not None:
        return Text(
            _span(event.onset, event.offset), "bold red" if event.offset is None else "green"
        )
    return Text("playing" if sound.onset <= progress.now < sound.offset else "", "blue")


def _span(onset: float, offset: float | None) -> str:
    return f"{onset:4.1f} to {'...' if offset is None else format(offset, '4.1f')}"


def _peak(event: HeardEvent | None) -> str:
    return "" if event is None else f"{event.peak_score:.2f}"

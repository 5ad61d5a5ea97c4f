"""The scene of `listener demo`, and its screen: truth, scores and events along one time axis."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from rich.console import Group
from rich.table import Table
from rich.text import Text

from listener.commands import terminal, watch_screen
from listener.config.station import ConfigError
from listener.soundscape.scene import PlacedSound, Scene, mix_scene
from listener.soundscape.sounds import (
    appliance_beep,
    busy_signal,
    reversing_beeper,
    smoke_alarm,
    yelp,
)
from listener.soundscape.synthesis import Generator, pink_noise

SCENE_SECONDS = 28.0
_SOUND_TIMES = ((3.0, 9.0), (12.0, 17.0), (20.0, 25.0))  # onset and offset, seconds
# by label of the starter bundle, then of YAMNet
_SOUNDS: dict[str, Generator] = {
    "smoke_alarm": smoke_alarm,
    "siren": yelp,
    "telephone": busy_signal,
    "reversing_beeper": reversing_beeper,
    "appliance_beep": appliance_beep,
    "smoke_detector_smoke_alarm": smoke_alarm,
    "busy_signal": busy_signal,
    "pink_noise": pink_noise,
}
_LEAST_OVERLAP_SECONDS = 1.0
_MOST_CELLS = 56  # half a second each, about a patch hop
_LEAST_CELLS = 12  # a shorter timeline says nothing and is left out
_OTHER_CELLS = 38  # two pairs of times, the peak and the gaps
_LEVEL_CELLS = 24


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
        for label, (onset, offset) in zip(known, _SOUND_TIMES, strict=False)
    ]
    return mix_scene(sounds, SCENE_SECONDS, snr_db=30.0)


@dataclass(frozen=True, slots=True)
class HeardEvent:
    """An event as an MQTT client received it; seconds of the scene, offset None while it lasts."""

    id: str
    label: str
    onset: float
    offset: float | None
    peak_score: float

    def matches(self, sound: PlacedSound) -> bool:
        """Whether it has the sound's label and overlaps it for long enough."""
        end = math.inf if self.offset is None else self.offset
        overlap = min(end, sound.offset) - max(self.onset, sound.onset)
        return self.label == sound.label and overlap >= _LEAST_OVERLAP_SECONDS


def first_match(sound: PlacedSound, heard: Iterable[HeardEvent]) -> HeardEvent | None:
    """The first event that matches the sound; it may still last."""
    return next((event for event in heard if event.matches(sound)), None)


def not_heard(scene: Scene, heard: Collection[HeardEvent]) -> list[str]:
    """The labels of the sounds that no ended event matches."""
    ended = [event for event in heard if event.offset is not None]
    return [sound.label for sound in scene.truth if first_match(sound, ended) is None]


@dataclass(slots=True)
class DemoProgress:
    """What is known at `now`, seconds of the scene; `scores` are (time of reading, smoothed score)."""

    scene: Scene
    now: float = 0.0
    level_dbfs: float | None = None
    heard: dict[str, HeardEvent] = field(default_factory=dict)
    scores: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def add_view(self, view: watch_screen.SourceView) -> None:
        """Add level and scores from the station's metrics."""
        self.level_dbfs = view.level_dbfs
        for label, score in view.scores.items():
            self.scores[label].append((self.now, score))

    def add_event(self, event: HeardEvent) -> None:
        """Add an event that began or ended."""
        self.heard[event.id] = event

    @property
    def missing(self) -> list[str]:
        """The labels of the sounds that were not heard so far."""
        return not_heard(self.scene, self.heard.values())


def plain_table(progress: DemoProgress) -> Table:
    """What was played beside what was heard."""
    table = Table("sound", "played, s", "heard, s", "peak score", title=_title(progress))
    for sound in progress.scene.truth:
        event = first_match(sound, progress.heard.values())
        heard = "" if event is None else _span(event.onset, event.offset)
        table.add_row(sound.label, _span(sound.onset, sound.offset), heard, _peak(event))
    return table


def demo_picture(progress: DemoProgress, width: int) -> Group:
    """The same with timelines, a level and colours, as wide as the terminal."""
    truth = progress.scene.truth
    longest = max(len(sound.label) for sound in truth)
    cells = min(_MOST_CELLS, width - longest - _OTHER_CELLS)
    table = Table(box=None, padding=(0, 2, 1, 0), header_style="bold")
    table.add_column("sound")
    if cells >= _LEAST_CELLS:
        table.add_column(f"0 to {SCENE_SECONDS:g} s: played, score", no_wrap=True, min_width=cells)
    for name in ("played, s", "heard, s", "peak"):
        table.add_column(name)
    for sound in truth:
        event = first_match(sound, progress.heard.values())
        timeline = [_timeline(progress, sound, cells)] if cells >= _LEAST_CELLS else []
        played, heard = _span(sound.onset, sound.offset), _heard(progress, sound, event)
        table.add_row(sound.label, *timeline, played, heard, _peak(event))
    level = Text("level")
    if progress.level_dbfs is not None:
        bar = terminal.level_bar(progress.level_dbfs, min(_LEVEL_CELLS, max(1, width - 20)))
        level = Text.assemble("level ", bar, f" {progress.level_dbfs:.1f} dBFS")
    return Group(_title(progress), level, Text(), table)


def _title(progress: DemoProgress) -> str:
    return f"{min(progress.now, SCENE_SECONDS):4.1f} s"


def _timeline(progress: DemoProgress, sound: PlacedSound, cells: int) -> Text:
    """Two lines: when the sound is played, and the label's highest score in each cell's time."""
    first, last = _cell(sound.onset, cells), _cell(sound.offset, cells)
    truth = Text(" " * first + "━" * (last - first), "blue")
    scores: list[float | None] = [None] * min(cells, _cell(progress.now, cells) + 1)
    for seconds, score in progress.scores[sound.label]:
        cell = min(_cell(seconds, cells), len(scores) - 1)
        scores[cell] = max(scores[cell] or 0.0, score)
    for cell in range(1, len(scores)):  # without a reading the one before holds
        scores[cell] = scores[cell - 1] if scores[cell] is None else scores[cell]
    return Text("\n").join((truth, Text(terminal.sparkline(scores), "cyan")))


def _cell(seconds: float, cells: int) -> int:
    return int(min(seconds, SCENE_SECONDS) / SCENE_SECONDS * cells)


def _heard(progress: DemoProgress, sound: PlacedSound, event: HeardEvent | None) -> Text:
    if event is not None:
        style = "bold red" if event.offset is None else "green"
        return Text(_span(event.onset, event.offset), style)
    return Text("playing" if sound.onset <= progress.now < sound.offset else "", "blue")


def _span(onset: float, offset: float | None) -> str:
    return f"{onset:4.1f} to {'...' if offset is None else format(offset, '4.1f')}"


def _peak(event: HeardEvent | None) -> str:
    return "" if event is None else f"{event.peak_score:.2f}"

"""`python -m benchmarks.learning.walk`: the washing-machine walk from five takes, for several machines."""

from __future__ import annotations

import logging
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import soundfile
import typer
from rich.console import Console

from benchmarks.figures import Aim, Figure
from benchmarks.learning.new_class import labels_heard
from benchmarks.learning.station import write_store
from benchmarks.machine import describe_machine
from benchmarks.tables import as_table
from listener.detection.audio import Samples
from listener.detection.bundle import read_bundle
from listener.detection.clip import LabelSpan
from listener.soundscape.scene import reverberate
from trainer.data.audio import read_audio
from trainer.data.clips import Clip
from trainer.retraining.retrain import RetrainRequest, retrain

log = logging.getLogger(__name__)

LABEL = "washing_machine_done"
TAUGHT, NEW = 5, 2  # takes of each machine
_RATE_HZ, _TAKE_SECONDS = 16_000, 8.0
_NOISE_DBFS = -55.0
# pitches in Hz and the length of each note in seconds: invented, as a melody or as beeps
_MELODIES: Mapping[str, tuple[tuple[float, float], ...]] = {
    "three beeps": ((2050, 0.3), (0, 0.3)) * 3,
    "falling melody": ((1568, 0.25), (1319, 0.25), (1047, 0.25), (784, 0.5)),
    "rising melody": ((523, 0.2), (659, 0.2), (784, 0.2), (1047, 0.6)),
    "long tone": ((2700, 1.8),),
    "buzzer": ((420, 0.6), (0, 0.4)) * 2,
}


@dataclass(frozen=True, slots=True)
class Machine:
    """What a machine sounds like: float32 (n,) at 16 kHz."""

    name: str
    sound: Samples


def melody(notes: tuple[tuple[float, float], ...]) -> Samples:
    """Notes one after the other, with three harmonics and soft ends."""
    pieces = []
    for pitch_hz, seconds in notes:
        times = np.arange(round(seconds * _RATE_HZ)) / _RATE_HZ
        wave = sum(np.sin(2 * np.pi * pitch_hz * n * times) / n**2 for n in (1, 2, 3))
        soft = np.minimum(1.0, np.minimum(times, times[::-1]) / 0.01)
        pieces.append((0.2 * wave * soft).astype(np.float32))
    return np.concatenate(pieces)


def plain_beep() -> Samples:
    """Three beeps of 1 kHz, a sine: what another machine may do."""
    return melody(((1000, 0.3), (0, 0.3)) * 3)


@dataclass(frozen=True, slots=True)
class Take:
    """A recording of a machine, float32 (n,) at 16 kHz, and the seconds that a person marks in it."""

    samples: Samples
    onset: float
    offset: float


def take_of(sound: Samples, seed: int) -> Take:
    """One take: somewhere in the room, at some time, over some noise; marked to half a second."""
    random = np.random.default_rng(seed)
    room = random.normal(0.0, 10 ** (_NOISE_DBFS / 20), round(_TAKE_SECONDS * _RATE_HZ))
    wet = reverberate(sound, random.uniform(0.1, 0.4), random, random.uniform(3.0, 9.0))
    wet = wet[: len(room)] * 10 ** (random.uniform(-9.0, 3.0) / 20)
    start = random.integers(len(room) - len(wet) + 1)
    room[start : start + len(wet)] += wet
    onset = math.floor(2 * start / _RATE_HZ) / 2
    offset = min(math.ceil(2 * (start + len(sound)) / _RATE_HZ) / 2, _TAKE_SECONDS)
    return Take(room.astype(np.float32), onset, offset)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a bundle that was taught one machine makes of new takes and of other sounds; highest scores.

    A sound is heard as the station hears it, by events; the scores are smoothed.
    """

    machine: str
    heard: tuple[bool, ...]
    taken_for_it: tuple[str, ...]
    strangers: int
    threshold: float


def measure_walk(yamnet: Path, machines: list[Machine], cache: Path) -> list[Figure]:
    """Of every machine: are new takes heard, and is anything else taken for it?"""
    with tempfile.TemporaryDirectory() as name:
        outcomes = list(_walks(yamnet, machines, cache, Path(name)))
    heard = [found for each in outcomes for found in each.heard]
    strangers = sum(each.strangers for each in outcomes)
    wrong = sum(len(each.taken_for_it) for each in outcomes)
    share = 100.0 * sum(heard) / len(heard)
    return [
        Figure("walk", f"new takes heard, of {len(heard)}", "%", (share,), Aim("at least", 90.0)),
        Figure("walk", f"taken for it, of {strangers} sounds", "", (wrong,), Aim("at most", 0)),
    ]


def _walks(yamnet: Path, machines: list[Machine], cache: Path, folder: Path) -> Iterator[Outcome]:
    """One machine after another, logged as it comes out; all in this process, which loads YAMNet once."""
    base = read_bundle(yamnet)
    new = {each.name: _write(folder, each, range(TAUGHT, TAUGHT + NEW)) for each in machines}
    (beep,) = _write(folder, Machine("plain beep", plain_beep()), [0])
    for number, machine in enumerate(machines):
        taught = _write(folder, machine, range(TAUGHT))
        store = write_store(folder / f"clips-{number}", taught, LABEL, number)
        request = RetrainRequest(
            store, base, folder / f"bundle-{number}", cache,
            new_classes=True, required_labels=frozenset({LABEL}),
        )  # fmt: skip
        bundle = retrain(request, _silent).bundle
        others = [beep, *(clips[0] for name, clips in new.items() if name != machine.name)]
        outcome = Outcome(
            machine.name,
            tuple(LABEL in found for found in labels_heard(bundle, new[machine.name])),
            tuple(
                clip.path.stem
                for clip, found in zip(others, labels_heard(bundle, others), strict=True)
                if LABEL in found
            ),
            len(others),
            bundle.manifest.policies[LABEL].on_threshold,
        )
        log.info("%s", outcome)
        yield outcome


def _write(folder: Path, machine: Machine, seeds: Iterable[int]) -> list[Clip]:
    """Takes as files, with what a person marks in them."""
    clips = []
    for seed in seeds:
        take = take_of(machine.sound, seed)
        path = folder / f"{machine.name.replace(' ', '-')}-{seed}.wav"
        soundfile.write(path, take.samples, _RATE_HZ)
        spans = (LabelSpan(LABEL, take.onset, take.offset),)
        clips.append(Clip(path, frozenset({LABEL}), path.stem, fold=0, spans=spans))
    return clips


def _silent(_what: str) -> Callable[[int, int], None]:
    return lambda _done, _total: None


def main(
    yamnet: Annotated[Path, typer.Argument(help="YAMNet's bundle, from `trainer backbone`.")],
    recorded: Annotated[
        list[Path] | None, typer.Option(help="A recorded sound, as one more machine.")
    ] = None,
    cache: Annotated[Path, typer.Option(help="Of embeddings.")] = Path(".cache/embeddings"),
) -> None:
    """Teach a bundle each machine by five takes, and try two new ones, a beep and the other machines."""
    machines = [Machine(name, melody(notes)) for name, notes in _MELODIES.items()]
    for path in recorded or ():
        samples = read_audio(Clip(path, frozenset(), path.stem, 0, seconds=4.0), _RATE_HZ)
        machines.append(Machine(path.stem, samples))
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    Console(width=140).print(as_table(measure_walk(yamnet, machines, cache), describe_machine()))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    typer.run(main)

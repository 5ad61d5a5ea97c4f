"""`python -m benchmarks.learning.walk`: the washing-machine walk from five takes, for several machines."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import soundfile
import typer
from rich.console import Console

from benchmarks.figures import Aim, Figure
from benchmarks.machine import describe_machine
from benchmarks.tables import as_table
from listener.detection.audio import Samples

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


def take_of(sound: Samples, seed: int) -> Samples:
    """One take: somewhere in the room, at some time, over some noise."""
    from listener.soundscape.scene import reverberate  # noqa: PLC0415 - beside its one use

    random = np.random.default_rng(seed)
    room = random.normal(0.0, 10 ** (_NOISE_DBFS / 20), round(_TAKE_SECONDS * _RATE_HZ))
    wet = reverberate(sound, random.uniform(0.1, 0.4), random, random.uniform(3.0, 9.0))
    wet = wet[: len(room)] * 10 ** (random.uniform(-9.0, 3.0) / 20)
    start = random.integers(len(room) - len(wet) + 1)
    room[start : start + len(wet)] += wet
    return room.astype(np.float32)


def measure_walk(yamnet: Path, machines: list[Machine], cache: Path) -> list[Figure]:
    """Of every machine: are new takes heard, and is anything else taken for it?"""
    from benchmarks.learning.new_class import labels_heard  # noqa: PLC0415 - imports TensorFlow
    from benchmarks.learning.station import write_store  # noqa: PLC0415
    from listener.detection.bundle import read_bundle  # noqa: PLC0415
    from trainer.data.clips import Clip  # noqa: PLC0415
    from trainer.retraining.retrain import RetrainRequest, retrain  # noqa: PLC0415

    heard, wrong, others = 0, 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def write(sound: Samples, title: str, seed: int) -> Clip:
            path = folder / f"{title.replace(' ', '-')}-{seed}.wav"
            soundfile.write(path, take_of(sound, seed), _RATE_HZ)
            return Clip(path, frozenset({LABEL}), path.stem, fold=0)

        new = {
            each.name: [write(each.sound, each.name, TAUGHT + n) for n in range(NEW)]
            for each in machines
        }
        beep = write(plain_beep(), "plain beep", 0)
        for number, machine in enumerate(machines):
            taught = [write(machine.sound, machine.name, n) for n in range(TAUGHT)]
            store = write_store(folder / f"clips-{number}", taught, LABEL, number)
            made = retrain(
                RetrainRequest(
                    store, read_bundle(yamnet), folder / f"bundle-{number}", cache,
                    new_classes=True, required_labels=frozenset({LABEL}),
                ),
                _silent,
            )  # fmt: skip
            strangers = [beep] + [
                clip for other, clips in new.items() if other != machine.name for clip in clips[:1]
            ]
            heard += sum(LABEL in found for found in labels_heard(made.bundle, new[machine.name]))
            wrong += sum(LABEL in found for found in labels_heard(made.bundle, strangers))
            others += len(strangers)
    count = NEW * len(machines)
    return [
        Figure("walk", f"new takes heard, of {count}", "%", (100 * heard / count,), Aim("at least", 90.0)),
        Figure("walk", f"beep and other sounds taken for it, of {others}", "", (wrong,), Aim("at most", 0)),
    ]  # fmt: skip


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
        from trainer.data.audio import read_audio  # noqa: PLC0415
        from trainer.data.clips import Clip  # noqa: PLC0415

        samples = read_audio(Clip(path, frozenset(), path.stem, 0, seconds=4.0), _RATE_HZ)
        machines.append(Machine(path.stem, samples))
    Console(width=140).print(as_table(measure_walk(yamnet, machines, cache), describe_machine()))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    typer.run(main)

"""What comes of files: soundscapes, replays, evaluations, policies."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import soundfile

from tests.contracts.dump import (
    Done,
    Dump,
    array_digests,
    audio_digest,
    files_under,
    lines_of,
    shape,
)

_SEEDS = (1, 2, 3)
_PIPED_SECONDS = 12  # it is taken at about the speed of a microphone
_FORMATS = ("jsonl", "csv", "audacity")
_SETTINGS = """
bundle = "{starter}"
label_set = "home"
[[sources]]
name = "a"
kind = "stdin"
format = "wav"
[engine]
kind = "{engine}"
[labels]
alarms = ["smoke_alarm", "Carbon monoxide alarm"]
[detection]
labels = ["siren", "doorbell", "reversing_beeper"]
patch_hop_seconds = 0.24
[detection.policies.siren]
on_threshold = 0.9
min_duration_seconds = 1.0
[console]
format = "{format}"
[http]
enabled = false
"""
_CHECKED = """
bundle = "{starter}"
[[sources]]
name = "a"
kind = "file"
path = "scenes1/scene_0000.flac"
[clips]
enabled = true
[event_file]
path = "events.jsonl"
[http]
port = 0
"""


def make_scenes(dump: Dump, seed: int, scenes: int = 2) -> Path:
    """The folder of generated scenes of a seed."""
    folder = dump.work / f"scenes{seed}"
    if not folder.exists():
        done = dump.run(
            "trainer", "soundscape", "--out", folder, "--scenes", scenes, "--seed", seed
        )
        if done.code != 0:
            raise RuntimeError(done.err)
    return folder


def dump_soundscapes(dump: Dump) -> None:
    """The samples and the truth of generated scenes."""
    for seed in _SEEDS:
        folder = make_scenes(dump, seed)
        audio = {path.name: audio_digest(path) for path in sorted(folder.glob("*.flac"))}
        texts = {
            path.name: path.read_text() for path in files_under(folder) if path.suffix != ".flac"
        }
        dump.json(f"seed{seed}.json", {"audio": audio, "texts": texts})


def dump_replay(dump: Dump) -> None:
    """Events of generated scenes in every format, and all scores."""
    for seed in _SEEDS:
        scene = make_scenes(dump, seed) / "scene_0000.flac"
        for form in _FORMATS:
            store = dump.work / f"{seed}.npz"
            command = [
                "replay",
                scene,
                "--bundle",
                dump.starter,
                "--format",
                form,
                "--scores",
                store,
            ]
            dump.text(f"seed{seed}.{form}", _said(dump.run("listener", *command)))
        dump.json(f"seed{seed}.scores.json", array_digests(store))
    both = sorted((dump.work / "scenes1").glob("*.flac"))
    dump.text(
        "two_files.csv",
        _said(
            dump.run(
                "listener", "replay", *both, "--format", "csv", EARSHOT_BUNDLE=str(dump.starter)
            )
        ),
    )


def dump_engines(dump: Dump) -> None:
    """The events of a station's settings, with each engine."""
    scene = make_scenes(dump, 1) / "scene_0000.flac"
    for engine in ("litert", "openvino", "tensorflow"):
        config = _write_settings(dump, engine=engine)
        done = dump.run("listener", "replay", scene, "--config", config, "--format", "csv")
        dump.text(f"{engine}.csv", _said(done) + ("" if done.code == 0 else done.err))


def dump_check(dump: Dump) -> None:
    """`listener check` of a station whose parts all work, without sizes and times."""
    make_scenes(dump, 1)
    (dump.work / "settings.toml").write_text(_CHECKED.format(starter=dump.starter))
    done = dump.run("listener", "check", "--config", "settings.toml")
    dump.json("exit_code.json", done.code)
    dump.text("table.txt", re.sub(r"\d+(\.\d+)?", "N", dump.clean(done.out + done.err)))


def dump_bench(dump: Dump) -> None:
    """The keys of `listener bench --json`."""
    done = dump.run("listener", "bench", "--bundle", dump.starter, "--json", "--seconds", 0.05)
    dump.json("bench.json", [done.code, shape(lines_of(done.out))])


def dump_demo(dump: Dump) -> None:
    """Whether `listener demo` hears its own soundscape."""
    done = dump.run("listener", "demo", "--plain")
    dump.json("demo.json", [done.code, done.out])


def dump_stdin(dump: Dump) -> None:
    """The console of a station that hears a WAV from standard input, to its end."""
    samples, rate = soundfile.read(make_scenes(dump, 1) / "scene_0000.flac", dtype="int16")
    soundfile.write(dump.work / "scene.wav", samples[: _PIPED_SECONDS * rate], rate)
    for form in ("text", "jsonl"):
        config = _write_settings(dump, format=form)
        done = dump.run(
            "listener", "run", "--config", config, given=(dump.work / "scene.wav").read_bytes()
        )
        dump.text(f"console.{form}", _said(done))


def _write_settings(dump: Dump, **values: str) -> Path:
    path = dump.work / "settings.toml"
    fields = {"engine": "litert", "format": "jsonl", "starter": dump.starter} | values
    path.write_text(_SETTINGS.format(**fields))
    return path


def _said(done: Done) -> str:
    return f"{done.code}\n{done.out}"


def dump_evaluation(dump: Dump) -> None:
    """What a copy of the starter bundle goes through that needs no training."""
    truth = make_scenes(dump, 4, scenes=6) / "truth.csv"
    bundle = Path(shutil.copytree(dump.starter, dump.work / "copy"))
    steps: dict[str, list[Any]] = {
        "evaluate": [bundle, "--data", truth, "--no-robust"],
        "calibrate": [
            bundle,
            "--data",
            truth,
            "--false-alarms-per-day",
            5,
            "--generated-ambient",
            5,
        ],
        "evaluate_seen": [bundle, "--data", truth],
        "evaluate_robust": [
            bundle,
            "--data",
            make_scenes(dump, 5) / "truth.csv",
            "--report",
            "report",
        ],
        "promote": [bundle, "--models", "models"],
        "promote_older": [dump.starter, "--models", "models"],
        "promote_unproven": [dump.starter, "--models", "models", "--unproven"],
        "rollback": ["--models", "models"],
        "rollback_again": ["--models", "models"],
        "export": [bundle, "--serving", "serving"],
    }
    for name, arguments in steps.items():
        done = dump.run("trainer", name.partition("_")[0], *arguments)
        dump.text(f"said/{name}.txt", f"{done.code}\n{done.out}---\n{steady(done.err)}")
    dump_bundle(dump, bundle, "calibrated")
    dump_report(dump, dump.work / "report", "report")
    for folder in ("models", "serving"):
        names = sorted(str(path.relative_to(dump.work)) for path in files_under(dump.work / folder))
        dump.json(f"{folder}.json", names)
    for path in (dump.work / "serving").rglob("*.json"):
        dump.json(f"serving_{path.stem}.json", json.loads(path.read_text()))


def steady(text: str) -> str:
    """A text without what depends on how busy the machine is."""
    text = re.sub(r"\d+:\d\d:\d\d left", "<time> left", text)
    # a counter is written over itself
    lines = [line.rpartition("\r")[2] for line in text.split("\n")]
    classes = sorted(line for line in lines if line.startswith("class "))  # in the order of a set
    return "\n".join([*classes, *(line for line in lines if not line.startswith("class "))])


def dump_report(dump: Dump, folder: Path, name: str) -> None:
    """The figures of a report, and its page as text."""
    dump.json(f"{name}.json", json.loads((folder / "evaluation.json").read_text()))
    page = re.sub(
        r"<(style|script)\b.*?</\1>", "", (folder / "index.html").read_text(), flags=re.DOTALL
    )
    words = re.sub(r"<[^>]+>", "\n", page)
    dump.text(f"{name}.txt", re.sub(r"\s*\n\s*", "\n", words))


def dump_bundle(dump: Dump, bundle: Path, name: str) -> None:
    """A bundle: its files, manifest, arrays, model's signature and card."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415

    manifest = json.loads((bundle / "bundle.json").read_text())
    manifest["files"] = sorted(manifest["files"])
    interpreter = Interpreter(str(bundle / "model.tflite"))
    ends = {"inputs": interpreter.get_input_details(), "outputs": interpreter.get_output_details()}
    model = {
        "signatures": interpreter.get_signature_list(),
        **{
            end: [[t["shape"].tolist(), t["dtype"].__name__] for t in tensors]
            for end, tensors in ends.items()
        },
    }
    arrays = {path.name: array_digests(path) for path in sorted(bundle.glob("*.npz"))}
    files = sorted(str(path.relative_to(bundle)) for path in files_under(bundle))
    document = {"files": files, "bundle.json": manifest, "model.tflite": model, "arrays": arrays}
    dump.json(f"{name}.json", document)
    dump.text(f"{name}.card.txt", steady((bundle / "card.md").read_text()))

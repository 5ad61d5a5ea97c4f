"""Bundles: the one that ships, and those that the trainer makes of the developers' data."""

from __future__ import annotations

import csv
import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from tests.contracts.dump import Dump, lines_of, shape
from tests.contracts.offline import dump_bundle, dump_report, steady

_CLASSES = ("dog", "rain", "rooster")
_CLIPS_OF_A_FOLD = 2
_STATION = """
bundle = "fit"
[[sources]]
name = "yard"
kind = "file"
path = "yard.wav"
pace = "fast"
[http]
enabled = false
[clips]
enabled = true
near_misses_per_hour = 0
ambient_per_hour = 0
"""


def dump_starter(dump: Dump) -> None:
    """The bundle that ships with the package, byte by byte."""
    dump_bundle(dump, dump.starter, "starter")
    files = sorted(path for path in dump.starter.iterdir() if path.is_file())
    dump.json(
        "starter_bytes.json",
        {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
    )


def dump_training(dump: Dump) -> None:
    """From a backbone and recordings to a bundle in use, its corrections and the way back."""
    if dump.shared is None:
        dump.text("left_out.txt", "no --shared")
        return
    yamnet, data, cache = dump.shared / "models" / "yamnet", _write_data(dump), ["--cache", "cache"]
    few = ["--data", data, "--backbone", yamnet, *cache]
    folds = [word for fold in (1, 2, 3, 4) for word in ("--folds", fold)]
    _step(dump, "backbone", yamnet, "--out", "yamnet")
    _step(dump, "fit", *few, *folds, "--out", "fit", "--epochs", 2)
    _step(dump, "evaluate", "fit", "--data", data, "--no-robust")
    dump_report(dump, dump.work / "fit" / "report", "report")
    _step(dump, "shrink", "fit", "--data", data, "--out", "small")
    _step(dump, "export", "fit", "--serving", "serving")
    _judge_clips(dump)
    (dump.work / "tensorflow.toml").write_text(_STATION + '[engine]\nkind = "tensorflow"\n')
    heard = dump.run(
        "listener", "replay", "yard.wav", "--config", "tensorflow.toml", "--format", "csv"
    )
    dump.text("tensorflow.csv", f"{heard.code}\n{heard.out}")
    clips = ["--clips", "clips"]
    _step(dump, "retrain", *clips, "--base", "fit", "--out", "better", "--unproven", *cache)
    _step(dump, "replay", *clips, "--bundle", "fit", "--against", "better")
    _step(dump, "promote", "fit", "--models", "models", "--label", "dog", "--unproven")
    _step(dump, "promote", "better", "--models", "models", "--unproven", "--label", "dog")
    for name in ("yamnet", "fit", "small", "better"):
        dump_bundle(dump, dump.work / name, name)


def dump_search(dump: Dump) -> None:
    """`trainer search`: what it finds, and the lesson that `trainer fit` takes."""
    if dump.shared is None:
        dump.text("left_out.txt", "no --shared")
        return
    few = [
        "--data",
        _write_data(dump),
        "--backbone",
        dump.shared / "models" / "yamnet",
        "--cache",
        "cache",
    ]
    _step(dump, "search", *few, "--trials", 1, "--out", "found")
    dump.text("best.json", (dump.work / "found" / "best.json").read_text())
    dump.json("files.json", sorted(path.name for path in (dump.work / "found").rglob("*")))


def _step(dump: Dump, *arguments: Any) -> str:
    done = dump.run("trainer", *arguments)
    count = len(list((dump.out / "said").glob("*"))) if (dump.out / "said").exists() else 0
    dump.text(
        f"said/{count:02}_{arguments[0]}.txt", f"{done.code}\n{done.out}---\n{steady(done.err)}"
    )
    return done.out


def _write_data(dump: Dump) -> Path:
    """A few of ESC-10's clips, as its CSV names them."""
    source, target = (dump.shared or dump.work) / "data" / "esc10", dump.work / "data"
    (target / "audio").mkdir(parents=True)
    with (source / "esc10.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    chosen: list[dict[str, str]] = []
    for key in sorted(
        {(row["category"], row["fold"]) for row in rows if row["category"] in _CLASSES}
    ):
        chosen += [row for row in rows if (row["category"], row["fold"]) == key][:_CLIPS_OF_A_FOLD]
    for row in chosen:
        shutil.copy(source / "audio" / row["filename"], target / "audio")
    with (target / "esc10.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(chosen)
    return target / "esc10.csv"


def _judge_clips(dump: Dump) -> None:
    """A station with the new bundle keeps clips of what it hears, and each gets a verdict."""
    parts = []
    for path in sorted((dump.work / "data" / "audio").iterdir())[::3]:
        samples, rate = soundfile.read(path, dtype="float32")
        parts += [samples, np.zeros(2 * rate, np.float32)]
    soundfile.write(dump.work / "yard.wav", np.concatenate(parts), rate)
    (dump.work / "config.toml").write_text(_STATION)
    done = dump.run("listener", "run")
    dump.text("clips/run.txt", f"{done.code}\n{done.out}")
    listed = lines_of(_listener(dump, "list", "--format", "jsonl"))
    ids = sorted(path.stem for path in (dump.work / "clips").glob("*/*/*/*.json"))
    dump.json("clips/list.json", {"count": len(ids), "shape": shape(listed)})
    for number, clip in enumerate(ids):
        verdict = (["--right"], ["--wrong"], ["--label", "rain@0.5-2.0"])[number % 3]
        _listener(dump, "label", clip, *verdict, "--who", "me")
    documents = [_listener(dump, "show", clip) for clip in ids]
    dump.text("clips/shown.txt", "\n".join(documents))
    dump.text("clips/table.txt", _listener(dump, "list", "--verdict", "right"))
    dump.text("clips/export.txt", _listener(dump, "export", "judged"))
    names = [str(path.relative_to(dump.work)) for path in (dump.work / "judged").rglob("*")]
    dump.json("clips/exported.json", sorted(dump.clean(name) for name in names))
    found = _step(dump, "similar", ids[0], "--clips", "clips")
    dump.json("clips/similar.json", shape(lines_of(found)))


def _listener(dump: Dump, *arguments: Any) -> str:
    done = dump.run("listener", "clips", *arguments)
    return f"{done.out}" if done.code == 0 else f"{done.code}\n{done.out}{done.err}"

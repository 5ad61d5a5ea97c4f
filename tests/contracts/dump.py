"""Runs the real programs and writes what came of it, without what differs from run to run."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

TREE = Path(__file__).resolve().parents[2]
_LONGEST_SECONDS = 900.0  # of a command, on a busy machine
PLACES = 6  # decimal places that figures are rounded to
FIRST_UNIX = 1e9  # a larger number is a time

_PATTERNS = [
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d| UTC)?", "<time>"),
    (r"\b\d{4}[/-]\d\d[/-]\d\d\b", "<day>"),
    (r"\b0[0-9A-HJKMNP-TV-Z]{25}\b", "<ulid>"),
    (r"(127\.0\.0\.1|localhost):\d+", r"\1:<port>"),
    (r"\b1[5-9]\d{8}(\.\d+)?\b", "<unix>"),
    (r"off by -?\d+ s\b", "off by N s"),
    (r"\d+\.\d+ times as (fast|long)", r"<times> as \1"),
    # how fast a form of a model is, in the card's table and in the manifest
    (r"^(\| (?:float16|dynamic|int8) \| [\d.]+ \| )[\d.]+", r"\1<times>"),
    (r'"speed": [\d.]+', '"speed": "<times>"'),
    (r"\x1b\[[0-9;?]*[A-Za-z]", ""),
    (r"[ \t]+$", ""),
]


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Dump:
    """Where a part writes (`out`), where it may work (`work`), and the developers' data, if any."""

    out: Path
    work: Path
    shared: Path | None = None

    @property
    def starter(self) -> Path:
        """The bundle that ships with the package, copied to where its path is as long in every tree."""
        copy = self.work / "starter"
        if not copy.exists():
            (found,) = (TREE / "listener").rglob("bundle.json")
            shutil.copytree(found.parent, copy)
        return copy

    def run(self, *arguments: Any, given: bytes = b"", **environment: str) -> Done:
        """Run `python -m` with these arguments in the work folder."""
        ended = subprocess.run(
            [sys.executable, "-m", *map(str, arguments)],
            cwd=self.work,
            env=self.environment | environment,
            input=given,
            capture_output=True,
            timeout=_LONGEST_SECONDS,
            check=False,
        )
        out, err = (text.decode("utf-8", "replace") for text in (ended.stdout, ended.stderr))
        return Done(ended.returncode, out, err)

    @property
    def environment(self) -> dict[str, str]:
        """What a program runs in: this tree and nothing of the user's."""
        kept = {key: os.environ[key] for key in ("PATH", "LD_LIBRARY_PATH") if key in os.environ}
        fixed = {
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "COLUMNS": "120",
            "TERM": "dumb",
            "NO_COLOR": "1",
        }
        home = {"HOME": str(self.work / "home"), "USER": "user", "LOGNAME": "user"}
        return kept | fixed | home | {"PYTHONPATH": str(TREE), "PYTHONDONTWRITEBYTECODE": "1"}

    def clean(self, text: str) -> str:
        """The text without paths of this run, times, ids and ports."""
        for path, name in ((self.work, "<work>"), (TREE, "<tree>"), (self.shared, "<shared>")):
            text = text if path is None else text.replace(str(path), name)
        text = text.replace(socket.gethostname(), "<host>")
        for pattern, name in _PATTERNS:
            text = re.sub(pattern, name, text, flags=re.MULTILINE)
        return text

    def plain(self, value: Any) -> Any:
        """A JSON value whose strings are clean and whose figures are rounded."""
        if isinstance(value, Mapping):
            return {self.clean(str(key)): self.plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.plain(item) for item in value]
        if isinstance(value, float):
            return "<unix>" if value > FIRST_UNIX and value < np.inf else round(value, PLACES)
        return self.clean(value) if isinstance(value, str) else value

    def text(self, name: str, content: str) -> None:
        """Write a text file."""
        path = self.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.clean(content).rstrip("\n") + "\n")

    def json(self, name: str, value: Any) -> None:
        """Write a JSON file, its keys in order."""
        content = json.dumps(self.plain(value), indent=1, sort_keys=True, default=str)
        self.text(name, content)


def shape(values: list[Any]) -> Any:
    """The keys and JSON types of many values; a key that some of them lack ends with `?`."""
    tables = [value for value in values if isinstance(value, dict)]
    arrays = [value for value in values if isinstance(value, list)]
    kinds = {type(value).__name__ for value in values} - {"dict", "list"}
    found: list[Any] = ["|".join(sorted(kinds))] if kinds else []
    if tables:
        keys = sorted({key for table in tables for key in table})
        found.append(
            {_optional(key, tables): shape([t[key] for t in tables if key in t]) for key in keys}
        )
    if arrays:
        found.append([shape([item for array in arrays for item in array])])
    return found[0] if len(found) == 1 else found


def _optional(key: str, tables: list[dict[str, Any]]) -> str:
    return key if all(key in table for table in tables) else f"{key}?"


def lines_of(text: str) -> list[Any]:
    """The documents of JSON lines."""
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def array_digests(path: Path) -> dict[str, Any]:
    """Shape, type and SHA-256 of each array of an .npz, figures rounded; strings as they are."""
    with np.load(path) as arrays:
        return {name: _array(np.asarray(arrays[name])) for name in sorted(arrays.files)}


def _array(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {"dtype": array.dtype.kind, "shape": list(array.shape)}
    if array.dtype.kind in "US":
        return described | {"values": array.tolist()}
    rounded = np.round(array.astype(np.float64), PLACES) + 0.0  # no negative zero
    return described | {
        "dtype": str(array.dtype),
        "sha256": hashlib.sha256(rounded.tobytes()).hexdigest(),
    }


def audio_digest(path: Path) -> dict[str, Any]:
    """What an audio file holds."""
    samples, rate = soundfile.read(path, dtype="int16")
    info = soundfile.info(path)
    digest = hashlib.sha256(samples.tobytes()).hexdigest()
    return {
        "format": info.format,
        "subtype": info.subtype,
        "rate": rate,
        "shape": list(samples.shape),
        "sha256": digest,
    }


def files_under(folder: Path) -> Iterator[Path]:
    """All files of a folder, in order."""
    return iter(sorted(path for path in folder.rglob("*") if path.is_file()))

"""Security defaults that belong to no single module; docs/security.md lists all, each with its test."""

from __future__ import annotations

import ast
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from listener.config.station import Config, ControlSettings, HttpSettings, ReviewSettings
from listener.control import commands, dispatcher
from listener.control import http_server as http
from listener.detection.bundle import Bundle
from listener.detection.clip import ClipError, read_analysis
from tests.bundles import LOW_TONE_HZ
from tests.rigs.commander import ask, command
from tests.rigs.mosquitto import Mosquitto, free_port, subscribe, wait_until
from tests.rigs.station import LISTENER, get, write_toml
from tests.shared import ROOT

RATE = 16_000
WORD = "the-word-that-nobody-may-see"
TOKEN = "the-token-that-nobody-may-see"


def test_a_station_is_closed_until_it_is_opened():
    assert (HttpSettings().host, ReviewSettings().host) == ("127.0.0.1", "127.0.0.1")
    assert (ControlSettings().mqtt, ControlSettings().http_token_file) == (False, None)
    defaults = Config.model_fields
    assert defaults["mqtt"].default is None
    assert (defaults["clips"].default.enabled, defaults["review"].default.enabled) == (False, False)
    assert defaults["clips"].default.keep_speech is False


def test_the_bounds_are_those_that_were_promised():
    assert (http.MAX_CONNECTIONS, http.REQUEST_SECONDS, http.REQUEST_BYTES) == (8, 5.0, 8192)
    assert (
        commands.MAX_COMMAND_BYTES,
        dispatcher.FRESH_SECONDS,
        dispatcher.COMMANDS_PER_SECOND,
    ) == (
        8192,
        60,
        10,
    )


# --- a running station ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def station(
    tmp_path_factory: pytest.TempPathFactory, tones_bundle: Bundle
) -> Iterator[tuple[Path, subprocess.Popen[bytes], dict[str, Any]]]:
    """One that may do everything, started by somebody whose umask takes nothing away."""
    folder = tmp_path_factory.mktemp("station")
    t = np.arange(2 * RATE) / RATE
    sound = np.concatenate([0.5 * np.sin(2 * np.pi * LOW_TONE_HZ * t), np.zeros(RATE)])
    soundfile.write(folder / "hall.wav", sound, RATE, subtype="PCM_16")
    state = folder / "state"
    state.mkdir(mode=0o700)
    (folder / "word").write_text(WORD + "\n")
    (folder / "token").write_text(TOKEN + "\n")
    with Mosquitto(folder) as broker:
        config: dict[str, Any] = {
            "station": "test",
            "bundle": tones_bundle.path,
            "log_level": "debug",
            "sources": [
                {"name": "hall", "kind": "file", "path": folder / "hall.wav", "at_end": "restart"},
                {
                    "name": "yard",
                    "kind": "stream",
                    "url": f"rtsp://ada:{WORD}@127.0.0.1:{free_port()}/x",
                },
            ],
            "mqtt": {"port": broker.port, "username": "u", "password_file": folder / "word"},
            "http": {"port": free_port()},
            "clips": {"enabled": True, "ambient_per_hour": 0.0},
            "control": {"mqtt": True, "http_token_file": folder / "token"},
        }
        path = write_toml(state / "config.toml", config)  # where all that it writes is, by default
        path.chmod(0o600)
        command_line = [*LISTENER, "run", "--config", str(path)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command_line, stdout=log, stderr=log, cwd=state, umask=0)
        try:
            _let_it_do_everything(broker, state)
            yield folder, process, config
        finally:
            process.kill()
            process.wait()


def _let_it_do_everything(broker: Mosquitto, state: Path) -> None:
    """A clip with a verdict, and a mute."""
    with subscribe(broker.port, "earshot/test/hall/event") as messages:
        messages.wait_for_topic("earshot/test/hall/event", 2, 60)
    wait_until(lambda: any(state.rglob("*.flac")), 40, "a clip")
    wait_until(lambda: any(state.rglob("clips/*/*/*/*.json")), 40, "its sidecar")
    clip = next(state.rglob("clips/*/*/*/*.json")).stem
    assert ask(broker.port, "flag", command(clip=clip, verdict="right"))["ok"]
    assert ask(broker.port, "mute", command(label="noise", seconds=600))["ok"]


def test_what_a_station_writes_is_for_its_owner_alone(
    station: tuple[Path, subprocess.Popen[bytes], dict[str, Any]],
):
    folder, process, _ = station
    process.send_signal(signal.SIGSTOP)  # nothing is between two names while we look
    found = {path: path.lstat() for path in (folder / "state").rglob("*")}
    process.send_signal(signal.SIGCONT)
    files = {path for path, status in found.items() if stat.S_ISREG(status.st_mode)}
    assert {path.suffix for path in files} >= {".json", ".flac", ".npz", ".sqlite"}
    wanted = {path: 0o600 if path in files else 0o700 for path in found}
    modes = {path: stat.S_IMODE(status.st_mode) for path, status in found.items()}
    assert modes == wanted


def test_a_file_that_is_written_without_care_would_be_seen(tmp_path: Path):
    """The control for the one above."""
    program = "import os, pathlib; os.umask(0); pathlib.Path('careless').write_text('x')"
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    assert stat.S_IMODE((tmp_path / "careless").stat().st_mode) == 0o666


def test_passwords_and_tokens_are_in_no_log_argument_environment_topic_or_metric(
    station: tuple[Path, subprocess.Popen[bytes], dict[str, Any]],
):
    folder, process, config = station
    wait_until(
        lambda: "source yard: lost" in (folder / "log").read_text(), 40, "the stream is lost"
    )
    proc = Path(f"/proc/{process.pid}")
    with subscribe(config["mqtt"]["port"], "#") as messages:
        messages.wait_for_topic("earshot/test/hall/level", seconds=40)
        said = "".join(message.topic + message.payload for message in messages.all)
    places = {
        "log": (folder / "log").read_text(),
        "arguments": (proc / "cmdline").read_text(),
        "environment": (proc / "environ").read_text(),
        "metrics": get(config["http"]["port"], "/metrics")[1],
        "readyz": get(config["http"]["port"], "/readyz")[1],
        "messages": said,
    }
    assert "earshot/test" in said
    assert [name for name, text in places.items() if WORD in text or TOKEN in text] == []


# --- what comes in is data and never a program ----------------------------------------------------------


class _Bomb:
    """Unpickled it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_pickle_in_a_clip_is_not_run(tmp_path: Path):
    bomb = np.array([_Bomb(tmp_path / "ran")], object)
    np.savez(tmp_path / "clip.npz", labels=bomb, boundaries=bomb, scores=bomb, embeddings=bomb)
    with pytest.raises(ClipError, match="expected scores and embeddings"):
        read_analysis(tmp_path / "clip.npz")
    assert not (tmp_path / "ran").exists()
    np.load(tmp_path / "clip.npz", allow_pickle=True)["labels"]
    assert (tmp_path / "ran").exists()  # the control: it would have


FORBIDDEN = {
    "pickle": "import",
    "marshal": "import",
    "shelve": "import",
    "eval": "call",
    "exec": "call",
    "system": "call",
}


def _faults(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            names = [(module or alias.name, "import") for alias in node.names]
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            called = node.func.id if isinstance(node.func, ast.Name) else called
            names = [(called, "call")]
            yield from (f"{path.name}: {fault}" for fault in _bad_arguments(node))
        yield from (f"{path.name}: {name}" for name, kind in names if FORBIDDEN.get(name) == kind)


def _bad_arguments(call: ast.Call) -> Iterator[str]:
    given = {word.arg: getattr(word.value, "value", None) for word in call.keywords}
    for name, bad in (("allow_pickle", True), ("safe_mode", False), ("shell", True)):
        if given.get(name) is bad:
            yield f"{name}={bad}"
    if ast.unparse(call.func) == "np.load" and "allow_pickle" not in given:
        yield "np.load without allow_pickle=False"


def test_no_code_of_ours_runs_what_it_reads():
    faults = [
        fault
        for package in ("listener", "trainer")
        for path in sorted((ROOT / package).rglob("*.py"))
        for fault in _faults(path)
    ]
    assert faults == []


@pytest.mark.parametrize(
    "line",
    ["import pickle", "from pickle import loads", "eval('1')", "np.load(x, allow_pickle=True)",
     "np.load(x)", "load_model(x, safe_mode=False)", "run(x, shell=True)", "os.system('x')"],
)  # fmt: skip
def test_the_one_above_would_see_it(line: str, tmp_path: Path):
    (tmp_path / "bad.py").write_text(line)
    assert len(list(_faults(tmp_path / "bad.py"))) == 1


# --- the list itself ------------------------------------------------------------------------------------


def test_every_promise_of_the_list_has_tests_that_exist():
    rows = re.findall(
        r"^\| .* \| (`tests/.*) \|$", (ROOT / "docs/security.md").read_text(), re.MULTILINE
    )
    assert len(rows) >= 15
    named = [name for row in rows for name in re.findall(r"`(tests/[^`]+)`", row)]
    for name in named:
        path, _, test = name.partition("::")
        text = (ROOT / path).read_text()
        assert not test or f"def {test}(" in text, name

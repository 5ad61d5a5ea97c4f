"""The house's one direction, held as a contract: who may import whom, read from the source."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

from tests.shared import ROOT

# From the roof down. A module imports from its own room and from floors below it, never sideways.
FLOORS: list[set[str]] = [
    {"listener.__main__"},
    {"listener.cli"},
    {"listener.commands"},
    {"listener.station"},
    {"listener.build"},
    {"listener.supervisor"},
    {
        "listener.adapters",
        "listener.offline",
        "listener.planning",
        "listener.review",
        "listener.runtime",
    },
    {"listener.control", "listener.homeassistant", "listener.pipeline"},
    {"listener.outbox", "listener.sinks", "listener.sources"},
    {
        "listener.clips",
        "listener.engines",
        "listener.mqtt",
        "listener.service",
        "listener.worker",
    },
    {"listener.config", "listener.health", "listener.soundscape"},
    {
        "listener.detection",
        "listener.process",
        "listener.starter",
    },
    {"listener.backoff", "listener.clock", "listener.faults", "listener.files"},
    {"listener", "listener.validation"},
]
# The same of the trainer, all of which stands above the listener's rooms in TRAINER_MAY_USE.
TRAINER_FLOORS: list[set[str]] = [
    {"trainer.__main__"},
    {"trainer.cli"},
    {"trainer.commands"},
    {
        "trainer.clip_search",
        "trainer.promotion",
        "trainer.report",
        "trainer.search",
        "trainer.soundscape",
        "trainer.starter",
    },
    {"trainer.quantisation", "trainer.retraining"},
    {"trainer.training"},
    {"trainer.model_card"},
    {"trainer.formatting"},
    {"trainer.background", "trainer.evaluation", "trainer.model"},
    {"trainer.augment", "trainer.data", "trainer.export"},
    {"trainer.config", "trainer.labels", "trainer.provenance", "trainer.terminal"},
    {"trainer", "trainer.errors"},
]
# What adapters of a room may share with one another; all else in the room is on its own.
SHARED_BY_ADAPTERS = {
    "listener.sinks": {"sink", "event_document"},
    "listener.engines": {"engine", "saved_model", "tflite"},
}
SOURCE_ADAPTERS = {"microphone", "file", "stdin", "stream"}
PROTOCOLS = {"listener.sinks.sink", "listener.sources.source", "listener.engines.engine"}
TRAINER_MAY_USE = {
    "listener",
    "listener.detection",
    "listener.engines",
    "listener.files",
    "listener.process",
    "listener.soundscape",
    "listener.sources",
    "listener.validation",
}
IMPURE = {
    "asyncio",
    "concurrent",
    "http",
    "multiprocessing",
    "paho",
    "prometheus_client",
    "queue",
    "requests",
    "selectors",
    "socket",
    "subprocess",
    "threading",
    "time",
    "urllib",
}
# Heavy or optional packages, and the only modules that may name them.
ONLY_IN = {
    "amqtt": {"listener.commands.demo"},
    "ai_edge_litert": {"listener.engines.tflite"},
    "av": {"listener.sources.stream"},
    "fastapi": {
        "listener.review.app",
        "listener.review.routes",
    },
    "keras": set[str](),
    "openvino": {"listener.engines.openvino"},
    "playwright": set[str](),
    "paho": {
        "listener.mqtt.client",
        "listener.mqtt.connection",
        "listener.mqtt.messages",
        "listener.mqtt.round_trip",
        "listener.commands.demo",
    },
    "prometheus_client": {
        "listener.sinks.metrics",
        "listener.control.http_server",
        "listener.commands.watch_screen",
    },
    "sounddevice": {"listener.sources.portaudio"},
    "tensorflow": {"listener.engines.tensorflow"},
    "tensorflow_hub": set[str](),
    "tritonclient": {"listener.engines.remote.grpc"},
    "urllib3": {"listener.engines.remote.http"},
    "uvicorn": {"listener.review.server"},
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    module_name(path): path
    for package in ("listener", "trainer")
    for path in sorted((ROOT / package).rglob("*.py"))
}
LISTENER = [name for name in MODULES if name.split(".")[0] == "listener"]
TRAINER = [name for name in MODULES if name.split(".")[0] == "trainer"]


@cache
def imports_of(module: str) -> frozenset[str]:
    """All that a module imports anywhere in its text, as dotted names."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    return frozenset(chain.from_iterable(_names(node) for node in ast.walk(tree)))


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module is not None:
        assert node.level == 0, "relative imports hide the floor"
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            yield inner if inner in MODULES else node.module


def room_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


def adapter_of(module: str) -> str:
    """A module of a room, or a package in it."""
    return ".".join(module.split(".")[:3])


def floor_of(module: str) -> int:
    """Counted from the roof."""
    room = room_of(module)
    floors = TRAINER_FLOORS if room.split(".")[0] == "trainer" else FLOORS
    found = [number for number, rooms in enumerate(floors) if room in rooms]
    assert found, f"{module} has no floor: give it one in FLOORS or TRAINER_FLOORS"
    return found[0]


def inside(module: str, package: str = "listener") -> list[str]:
    return sorted(name for name in imports_of(module) if name.split(".")[0] == package)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_its_own_room_and_from_below(module: str):
    wrong = [
        name
        for name in inside(module, module.split(".", maxsplit=1)[0])
        if room_of(name) != room_of(module) and floor_of(name) <= floor_of(module)
    ]
    assert wrong == []


@pytest.mark.parametrize("floors", [FLOORS, TRAINER_FLOORS], ids=["listener", "trainer"])
def test_every_room_has_one_floor(floors: list[set[str]]):
    rooms = sorted(room for floor in floors for room in floor)
    package = rooms[0].split(".")[0]
    assert rooms == sorted({room_of(name) for name in MODULES if name.split(".")[0] == package})


@pytest.mark.parametrize("module", LISTENER)
def test_the_listener_never_names_the_trainer(module: str):
    assert inside(module, "trainer") == []


@pytest.mark.parametrize("module", TRAINER)
def test_the_trainer_uses_only_what_both_share(module: str):
    assert {room_of(name) for name in inside(module)} <= TRAINER_MAY_USE


@pytest.mark.parametrize("room", sorted(SHARED_BY_ADAPTERS))
def test_adapters_do_not_import_each_other(room: str):
    shared = {f"{room}.{name}" for name in SHARED_BY_ADAPTERS[room]} | {room}
    adapters = [name for name in LISTENER if room_of(name) == room and name not in shared]
    assert adapters
    wrong = {
        a: [
            n
            for n in inside(a)
            if room_of(n) == room and n not in shared and adapter_of(n) != adapter_of(a)
        ]
        for a in adapters
    }
    assert {adapter: names for adapter, names in wrong.items() if names} == {}


def test_sources_share_helpers_and_nothing_else():
    adapters = {f"listener.sources.{name}" for name in SOURCE_ADAPTERS}
    assert adapters <= set(MODULES)
    sources = [name for name in LISTENER if room_of(name) == "listener.sources"]
    assert {
        name: adapters & imports_of(name) for name in sources if adapters & imports_of(name)
    } == {}


@pytest.mark.parametrize(
    "module",
    [name for name in LISTENER if room_of(name) in {"listener.pipeline", "listener.control"}],
)
def test_the_pipeline_and_the_control_know_no_concrete_adapter(module: str):
    adapters = {"listener.sinks", "listener.sources", "listener.engines"}
    assert {name for name in inside(module) if room_of(name) in adapters} <= PROTOCOLS


@pytest.mark.parametrize("module", [n for n in LISTENER if room_of(n) == "listener.detection"])
def test_detection_is_pure(module: str):
    """No thread, no clock, no network."""
    assert {name.split(".")[0] for name in imports_of(module)} & IMPURE == set()
    assert "logging.handlers" not in imports_of(module)


@pytest.mark.parametrize("package", sorted(ONLY_IN))
def test_a_heavy_package_is_named_in_one_place(package: str):
    users = {m for m in LISTENER if any(n.split(".")[0] == package for n in imports_of(m))}
    assert users <= ONLY_IN[package]


def in_a_fresh_interpreter(code: str) -> object:
    """What the code gives as `found`, with only the project on the path."""
    program = f"{code}\nimport json\nprint(json.dumps(found))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_the_command_line_loads_nothing_heavy():
    heavy = [
        "tensorflow",
        "keras",
        "av",
        "sounddevice",
        "ai_edge_litert",
        "openvino",
        "amqtt",
        "fastapi",
        "uvicorn",
    ]
    code = f"import sys, listener.cli\nfound = [m for m in {heavy} if m in sys.modules]"
    assert in_a_fresh_interpreter(code) == []


def test_a_station_promotes_without_the_train_extra():
    heavy = ["tensorflow", "keras", "scipy", "sklearn", "jinja2", "matplotlib", "optuna"]
    code = (
        f"import sys, trainer.promotion.promote\nfound = [m for m in {heavy} if m in sys.modules]"
    )
    assert in_a_fresh_interpreter(code) == []


def test_importing_does_nothing():
    """No thread, no signal handler, no log handler, no output."""
    light = [name for name in LISTENER if not name.endswith(("__main__", "engines.tensorflow"))]
    code = (
        "import importlib, logging, signal, threading\n"
        "before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)\n"
        f"for name in {light}: importlib.import_module(name)\n"
        "after = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)\n"
        "found = [threading.active_count(), before == after, len(logging.getLogger().handlers)]"
    )
    assert in_a_fresh_interpreter(code) == [1, True, 0]

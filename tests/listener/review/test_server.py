"""The page as part of a station: built from the config, or one clear line that says why not."""

import dataclasses
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from listener.clips.store import ClipStore
from listener.config.load import parse_config
from listener.config.station import ClipsSettings
from listener.detection.bundle import read_bundle
from listener.process import ExitCode
from listener.review.server import make_review
from tests.listener.clips.drafts import LABELS, NOON, SECONDS, clip_id, make_draft
from tests.rigs.station import write_toml
from tests.shared import ROOT

STARTER = ROOT / "listener" / "starter" / "bundle"


def config_of(port: int = 0) -> dict[str, object]:
    return {
        "bundle": STARTER,
        "sources": [{"name": "hall", "kind": "stdin"}],
        "http": {"enabled": False},
        "review": {"enabled": True, "port": port},
    }


def run(directory: Path, config: dict[str, object], before: str = "pass") -> tuple[int, str]:
    """Exit code and stderr of `listener run`, in a process in which something was done before."""
    path = write_toml(directory / "config.toml", config)
    code = f"{before}\nfrom listener.__main__ import main\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", code, "run", "--config", str(path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def test_without_the_extra_it_says_what_to_install(tmp_path: Path):
    hide = "import sys\nsys.modules['uvicorn'] = None"
    code, said = run(tmp_path, config_of(), hide)
    assert code == ExitCode.USAGE
    assert "review.enabled: expected pip install 'earshot[review]'" in said
    assert "Traceback" not in said


def test_a_port_in_use_ends_the_start(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = run(tmp_path, config_of(port))
    assert code == ExitCode.USAGE
    assert f"review: expected a free address, got 127.0.0.1:{port}" in said


@pytest.mark.parametrize("still_on", [False, True])
def test_the_timeline_begins_with_the_events_that_were_kept(tmp_path: Path, still_on: bool):
    """One that was longer than its clip ends where the clip does."""
    store = ClipStore(ClipsSettings(directory=tmp_path), LABELS)
    cutting = make_draft(0)
    event = cutting.record.event
    assert event is not None
    if still_on:
        record = dataclasses.replace(cutting.record, event=dataclasses.replace(event, offset=None))
        cutting = dataclasses.replace(cutting, record=record)
    store.add(cutting)
    store.add(make_draft(1, reason="ambient", event=None, labels=()))
    config = parse_config(config_of(), "x")
    server = make_review(config, read_bundle(STARTER), store)
    (item,) = server.live.timeline.newest(10)
    server.close()
    store.close()
    assert (item["id"], item["clip"], item["onset"]) == (clip_id(0), clip_id(0), NOON + 0.5)
    assert item["offset"] == NOON + (SECONDS if still_on else 1.5)

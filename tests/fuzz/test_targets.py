"""Whatever comes in, only documented errors come out, in time, and nothing is written elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from listener.sources.wav import WavError, parse_wav_header
from tests.fuzz.bench import OutsideError, only_inside
from tests.fuzz.mutations import documents as changed_documents
from tests.fuzz.mutations import mutated
from tests.fuzz.seeds import documents, seeds
from tests.fuzz.targets import TARGETS, run_target
from tests.shared import ROOT

# each example may open a store or a connection; together they take half a minute
EXAMPLES = {"sidecar": 60, "analysis": 60, "media_file": 600}
MANY = 200
# A longer run: EARSHOT_FUZZ_TIMES=200 pytest --timeout 0 tests/fuzz -k media_file
TIMES = int(os.environ.get("EARSHOT_FUZZ_TIMES", "1"))


@pytest.mark.parametrize("name", TARGETS)
def test_good_input_is_taken(name: str, tmp_path: Path):
    for seed in seeds(name):
        run_target(name, seed, tmp_path)


@pytest.mark.parametrize("name", TARGETS)
def test_any_input_ends_in_a_documented_error(name: str):
    inputs = mutated(seeds(name))
    if name in documents():
        inputs = inputs | changed_documents(documents()[name])

    @settings(max_examples=TIMES * EXAMPLES.get(name, MANY), deadline=None, database=None,
              suppress_health_check=list(HealthCheck), derandomize=True)  # fmt: skip
    @given(content=inputs)
    def try_it(content: bytes) -> None:
        run_target(name, content)

    try_it()


def test_the_inputs_are_nearly_right():
    """Some are taken, some are no WAV, and of some the end of the head is missing."""
    ends = set[str]()

    @settings(max_examples=200, deadline=None, database=None, derandomize=True)
    @given(content=mutated(seeds("wav_stream")))
    def look(content: bytes) -> None:
        try:
            ends.add("short" if parse_wav_header(content) is None else "taken")
        except WavError:
            ends.add("refused")

    look()
    assert ends == {"taken", "short", "refused"}


BARE = """
import sys
import av
from hypothesis import HealthCheck, given, settings
from tests.fuzz.mutations import mutated
from tests.fuzz.seeds import seeds

@settings(max_examples=600, deadline=None, database=None, derandomize=True,
          suppress_health_check=list(HealthCheck))
@given(content=mutated(seeds("media_file")))
def read(content):
    open(sys.argv[1], "wb").write(content)
    try:
        with av.open(sys.argv[1]) as file:
            for frame in file.decode(audio=0):
                if frame.layout.nb_channels < 8:
                    frame.to_ndarray()
    except av.FFmpegError:
        pass
    except Exception as error:
        print(type(error).__name__, flush=True)

read()
"""


def test_a_bare_reader_of_the_same_media_fails_in_undocumented_ways(tmp_path: Path):
    """The control: who catches FFmpeg's errors alone is surprised by some of these files.

    In a process of its own, for PyAV may be killed by frames of eight planes, which it leaves out.
    """
    command = [sys.executable, "-c", BARE, str(tmp_path / "x")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert {"UnicodeDecodeError", "ValueError"} <= set(ran.stdout.split())


def test_a_write_elsewhere_is_seen(tmp_path: Path):
    """The control: the guard is no decoration."""
    (tmp_path / "inside").mkdir()
    with only_inside(tmp_path / "inside"):
        (tmp_path / "inside" / "x").write_bytes(b"")
        with pytest.raises(OutsideError):
            (tmp_path / "outside").write_bytes(b"")
        with pytest.raises(OutsideError):
            (tmp_path / "inside" / "x").rename(tmp_path / "y")
    (tmp_path / "outside").write_bytes(b"")

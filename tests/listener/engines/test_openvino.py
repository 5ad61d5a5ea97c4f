"""OpenVINOEngine: the same numbers as LiteRT, one line for a fault, no usage statistics sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from listener.detection.bundle import Bundle, BundleError, check_golden, read_bundle
from listener.engines.engine import EngineError
from listener.engines.litert import LiteRTEngine
from listener.engines.openvino import OpenVINOEngine
from listener.starter import starter_bundle_path
from tests.shared import ROOT

TOLERANCE = 1e-4  # bfloat16, OpenVINO's default on CPUs that have it, is off by 0.03


def random_patches(count: int) -> np.ndarray:
    return np.random.default_rng(count).normal(-3.0, 2.0, (count, 96, 64)).astype(np.float32)


def assert_engines_agree(bundle: Bundle) -> None:
    engine, other = OpenVINOEngine(bundle.model_path), LiteRTEngine(bundle.model_path)
    assert check_golden(bundle, engine.infer) < TOLERANCE
    for count in (1, 7, 16, 1):  # any batch, also after a larger one
        patches = random_patches(count)
        scores, embeddings = engine.infer(patches)
        other_scores, other_embeddings = other.infer(patches)
        assert scores.dtype == embeddings.dtype == np.float32
        np.testing.assert_allclose(scores, other_scores, atol=TOLERANCE)
        np.testing.assert_allclose(embeddings, other_embeddings, atol=TOLERANCE)


def test_it_agrees_with_litert_on_the_tones_bundle(tones_bundle: Bundle):
    assert_engines_agree(tones_bundle)


def test_it_agrees_with_litert_on_the_starter_bundle():
    assert_engines_agree(read_bundle(starter_bundle_path()))


def test_it_agrees_with_litert_on_yamnet(yamnet_bundle: Bundle):
    assert_engines_agree(yamnet_bundle)


def test_a_later_call_does_not_change_earlier_arrays(tones_bundle: Bundle):
    engine = OpenVINOEngine(tones_bundle.model_path)
    scores, embeddings = engine.infer(random_patches(2))
    kept = scores.copy(), embeddings.copy()
    engine.infer(np.zeros((2, 96, 64), np.float32))
    np.testing.assert_array_equal(scores, kept[0])
    np.testing.assert_array_equal(embeddings, kept[1])


@pytest.mark.parametrize("content", [b"", b"not a model at all"])
def test_a_file_that_is_no_model_is_one_line(tmp_path: Path, content: bytes):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"model\.tflite: expected a TFLite model"):
        OpenVINOEngine(path)


def test_without_openvino_the_line_names_the_extra(
    tones_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "openvino", None)  # how Python marks a module as absent
    with pytest.raises(EngineError, match=r"pip install 'earshot\[openvino\]'"):
        OpenVINOEngine(tones_bundle.model_path)


# Blocks and records every attempt to reach the network.
WATCH = """
import json, sys
calls = []
def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.connect", "subprocess.Popen"):
        calls.append(event)
        raise OSError("no network in this test")
sys.addaudithook(watch)
"""
THROUGH_THE_ENGINE = """
from pathlib import Path
import numpy as np
from listener.engines.openvino import OpenVINOEngine
OpenVINOEngine(Path(sys.argv[1])).infer(np.zeros((1, 96, 64), np.float32))
"""
REPORT = """
import atexit, threading
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join(20)
print(json.dumps(calls))
"""


def network_use(program: str, model: Path, home: Path) -> tuple[list[str], list[Path]]:
    """What a program of its own did with the network, and the files it wrote into its user's home."""
    home.mkdir()
    ci = {"CI", "TF_BUILD", "JENKINS_URL"}  # with these set OpenVINO sends nothing anyway
    environment = {name: value for name, value in os.environ.items() if name not in ci}
    done = subprocess.run(
        [sys.executable, "-c", WATCH + program + REPORT, str(model)],
        env=environment | {"HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        timeout=60,
    )
    return json.loads(done.stdout.splitlines()[-1]), list(home.rglob("*"))


def test_it_sends_no_usage_statistics(tones_bundle: Bundle, tmp_path: Path):
    model = tones_bundle.model_path
    assert network_use(THROUGH_THE_ENGINE, model, tmp_path / "home") == ([], [])
    calls, files = network_use("import openvino", model, tmp_path / "other")
    assert calls or files  # the import alone does

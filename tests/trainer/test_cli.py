"""The real command line: exit codes, one line on stderr, the bundle's path on stdout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from listener.detection.bundle import check_golden, read_bundle
from listener.engines.litert import LiteRTEngine
from tests.shared import ROOT

Result = subprocess.CompletedProcess[str]


def run(*arguments: object, start: tuple[str, ...] = ("-m", "trainer")) -> Result:
    command = [sys.executable, *start, *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )


def assert_one_line(result: Result, exit_code: int, *parts: str) -> None:
    assert result.returncode == exit_code, result.stderr
    assert result.stdout == ""
    *progress, line = result.stderr.splitlines()
    assert line.startswith("trainer: ")
    for part in parts:
        assert part in line
    assert not [other for other in progress if "Error" in other or "Traceback" in other]


def test_backbone_makes_a_bundle_and_prints_only_its_path(shared: Path, tmp_path: Path):
    out = tmp_path / "yamnet"
    result = run("backbone", shared / "models" / "yamnet", "--out", out, "--hop", "0.24")
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{out}\n"
    assert result.stderr.splitlines() == [
        f"reading the weights of {shared / 'models' / 'yamnet'}",
        "writing saved_model",
        "converting to model.tflite, float32 weights",
        result.stderr.splitlines()[-1],
    ]
    assert result.stderr.splitlines()[-1].startswith("model.tflite: scores differ from the Keras")
    bundle = read_bundle(out)
    assert bundle.manifest.features.patch_hop_seconds == 0.24
    assert check_golden(bundle, LiteRTEngine(bundle.model_path).infer) < 1e-4


def test_float16_is_refused_because_its_scores_differ(shared: Path, tmp_path: Path):
    handle, out = shared / "models" / "yamnet", tmp_path / "yamnet"
    result = run("backbone", handle, "--out", out, "--storage", "float16")
    assert_one_line(result, 1, "float16 storage: expected scores within 0.0001", "they differ by")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_handle_is_wrong_use(tmp_path: Path):
    result = run("backbone", "no/such/net", "--out", tmp_path / "out")
    assert_one_line(result, 2, "no/such/net: expected a SavedModel directory or a TF Hub URL")
    assert result.stderr.count("\n") == 1


def test_another_net_is_wrong_use(tmp_path: Path):
    module = tf.Module()
    module.weight = tf.Variable(1.0)
    tf.saved_model.save(module, str(tmp_path / "net"))
    result = run("backbone", tmp_path / "net", "--out", tmp_path / "out")
    assert_one_line(result, 2, "expected YAMNet's variables")
    assert not (tmp_path / "out").exists()


def test_an_out_that_is_something_else_is_wrong_use(shared: Path, tmp_path: Path):
    (tmp_path / "photo.jpg").write_bytes(b"cat")
    result = run("backbone", shared / "models" / "yamnet", "--out", tmp_path)
    assert_one_line(result, 2, "expected a free name or an older bundle, found something else")
    assert (tmp_path / "photo.jpg").read_bytes() == b"cat"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["backbone"], "Missing option '--out'"),
        (["backbone", "--out", "x", "--storage", "int8"], "'int8' is not one of"),
        (["backbone", "--out", "x", "--hop", "0.473"], "expected a whole number of stft hops"),
        (["backbone", "--out", "x", "--hop", "2"], "expected at most 0.96"),
        (["backbone", "--out", "x", "--hop", "nan"], "--hop"),
        (["backbone", "--out", "x", "--colour"], "No such option"),
        (["paint"], "No such command 'paint'"),
    ],
)
def test_wrong_options_are_one_line(arguments: list[str], part: str):
    assert_one_line(run(*arguments), 2, part)


WITHOUT_TENSORFLOW = (
    "-c",
    "import sys; sys.modules['tensorflow'] = None; from trainer.__main__ import main; main()",
)


def test_help_shows_an_example_and_needs_no_tensorflow():
    result = run("backbone", "--help", start=WITHOUT_TENSORFLOW)
    assert result.returncode == 0, result.stderr
    assert "Example: trainer backbone --out" in result.stdout


def test_without_the_train_extra_the_line_names_it(tmp_path: Path):
    result = run("backbone", "--out", tmp_path / "out", start=WITHOUT_TENSORFLOW)
    assert_one_line(result, 3, "tensorflow is not installed: pip install 'earshot[train]'")


def test_the_help_loads_no_tensorflow():
    code = (
        "import sys, trainer.cli; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert run(start=("-c", code)).returncode == 0

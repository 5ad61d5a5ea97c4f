"""`trainer fit` from the command line: the bundle's path on stdout, a mistake in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from listener.detection.bundle import Bundle, read_bundle
from tests.trainer.test_cli import WITHOUT_TENSORFLOW, assert_one_line, run
from tests.trainer.training.tones import write_tones


def test_fit_makes_a_bundle_and_prints_only_its_path(tones_bundle: Bundle, tmp_path: Path):
    data, out = write_tones(tmp_path / "data"), tmp_path / "models" / "tones"
    places = ["--data", data, "--out", out, "--cache", tmp_path / "cache"]
    result = run("fit", *places, "--backbone", tones_bundle.path, "--copies", 0, "--labels", "many")
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{out}\n"
    lines = result.stderr.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "embedding, clips",
        "no bank of negatives for this backbone",
        "head",
        "calibration error",
        "writing saved_model",
        "converting to model.tflite, float32 weights",
        "model.tflite",
    ]
    bundle = read_bundle(out)
    assert bundle.labels == ("high", "low")
    assert bundle.manifest.activation == "sigmoid"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--rate", "0"], "learning_rate: expected more than 0, got 0.0"),
        (["--hidden", "-1"], "hidden: expected at least 0 units, got -1"),
        (["--copies", "-1"], "copies: expected at least 0, got -1"),
        (["--hop", "0.473"], "expected a whole number of stft hops"),
        (["--labels", "some"], "'some' is not one of"),
        (["--data", "no/such/folder"], "no/such/folder: expected a file or folder, found nothing"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, arguments: list[str], part: str):
    basics = ["fit", "--out", str(tmp_path / "out"), "--data", str(tmp_path / "none")]
    without_data = basics[:3] if "--data" in arguments else basics
    assert_one_line(run(*without_data, *arguments), 2, part)
    assert not (tmp_path / "out").exists()


def test_a_fold_that_is_not_there_is_one_line(tones_bundle: Bundle, tmp_path: Path):
    data = write_tones(tmp_path / "data")
    places = ["--data", data, "--out", tmp_path / "out", "--cache", tmp_path / "cache"]
    result = run("fit", *places, "--backbone", tones_bundle.path, "--folds", 9)
    assert_one_line(result, 2, "folds: expected some of [1, 2, 3, 4, 5], got [9]")


def test_the_help_needs_no_tensorflow():
    result = run("fit", "--help", start=WITHOUT_TENSORFLOW)
    assert result.returncode == 0, result.stderr
    assert "Example: trainer fit --data" in result.stdout

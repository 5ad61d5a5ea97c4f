"""`trainer fit` from the command line: the bundle's path on stdout, a mistake in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from listener.detection.bundle import Bundle, read_bundle
from tests.trainer.test_cli import WITHOUT_TENSORFLOW, assert_one_line, run
from tests.trainer.training.tones import HZ, RATE_HZ, tone, write_tones

FOLDS_1_TO_3 = ("--folds", 1, "--folds", 2, "--folds", 3)


def test_fit_makes_a_bundle_and_prints_only_its_path(tones_bundle: Bundle, tmp_path: Path):
    data, out = write_tones(tmp_path / "data"), tmp_path / "models" / "tones"
    places = ["--data", data, "--out", out, "--cache", tmp_path / "cache"]
    result = run("fit", *places, "--backbone", tones_bundle.path, "--copies", 0, "--labels", "many")
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{out}\n"
    lines = [line.rstrip() for line in result.stderr.splitlines() if line.strip(" ─╶╴")]
    assert [line.split() for line in lines[:4]] == [
        f"class clips recordings seconds {' '.join(f'fold {n}' for n in range(1, 6))}".split(),
        ["high", "10", "10", "15", "2", "2", "2", "2", "2"],
        ["low", "10", "10", "15", "2", "2", "2", "2", "2"],
        ["all", "20", "20", "30", "4", "4", "4", "4", "4"],
    ]
    assert lines[4] == (
        "training on folds 1, 2, 3, 4 and 5, 18 of 20 clips; fold 5 decides when to stop"
    )
    assert [line.partition(":")[0] for line in lines[5:]] == [
        "embedding, clips",
        "no bank of negatives for this backbone",
        "class high",  # its clips differ in level alone, so they sound alike
        "class low",
        "head",
        "calibration error",
        "what the station would do, validation clips",
        "validation",
        "writing saved_model",
        "converting to model.tflite, float32 weights",
        "model.tflite",
    ]
    bundle = read_bundle(out)
    assert bundle.labels == ("high", "low")
    assert bundle.manifest.activation == "sigmoid"


@pytest.mark.parametrize(("takes", "validated"), [(10, True), (3, False)])
def test_the_documented_recipe_runs_on_folders_of_numbered_takes(
    tones_bundle: Bundle, tmp_path: Path, takes: int, validated: bool
):
    data, out = tmp_path / "my-sounds", tmp_path / "models" / "mine"
    for label, hz in HZ.items():
        (data / label).mkdir(parents=True)
        for take in range(takes):
            samples = tone(hz, 0.2 + 0.05 * take)
            soundfile.write(data / label / f"alarm_small_{take}.wav", samples, RATE_HZ)
    places = ["--out", out, "--cache", tmp_path / "cache", "--backbone", tones_bundle.path]
    result = run("fit", "--data", data, *places, "--copies", 0, *FOLDS_1_TO_3)
    assert result.returncode == 0, result.stderr
    assert ("fold 3 decides when to stop" in result.stderr) == validated
    assert ("folds 2 and 3: no clip; training goes on without" in result.stderr) != validated
    result = run("calibrate", out, "--data", data, "--folds", 4, "--false-alarms-per-day", 1)
    assert result.returncode == 0, result.stderr
    result = run("evaluate", out, "--data", data, "--no-robust")
    assert result.returncode == 0, result.stderr
    assert "using folds [5]" in result.stderr
    assert f"100.0 % of {4 if validated else 2} clips" in " ".join(result.stderr.split())


@pytest.mark.parametrize("takes", [1, 2])
def test_one_or_two_clips_of_a_class_are_trained_on(
    tones_bundle: Bundle, tmp_path: Path, takes: int
):
    data, out = tmp_path / "my-sounds", tmp_path / "models" / "mine"
    for label, hz in HZ.items():
        (data / label).mkdir(parents=True)
        for take in range(takes if label == "low" else 7):
            soundfile.write(data / label / f"{take}.wav", tone(hz, 0.2 + 0.05 * take), RATE_HZ)
    places = ["--out", out, "--cache", tmp_path / "cache", "--backbone", tones_bundle.path]
    result = run("fit", "--data", data, *places, "--copies", 0)
    assert result.returncode == 0, result.stderr
    expected = {
        1: "class low: one clip, so it cannot be tested: one recording is in one fold",
        2: "class low: no clip in folds 2, 3 and 5; it has 2 recordings, 5 are enough for every fold",
    }
    assert expected[takes] in result.stderr.splitlines()
    assert read_bundle(out).labels == ("high", "low")


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

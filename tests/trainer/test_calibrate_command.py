"""`trainer calibrate` from the command line: policies in the bundle, what they are worth on stderr."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from listener.detection.bundle import Bundle, read_bundle
from tests.trainer.report.tones import write_judged, write_quiet
from tests.trainer.test_cli import WITHOUT_TENSORFLOW, assert_one_line, run

BUDGET = ("--false-alarms-per-day", 5)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_judged(tmp_path_factory.mktemp("judged") / "data")


@pytest.fixture
def bundle(tones_bundle: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tones_bundle.path, tmp_path / "models" / "tones"))


def test_policies_go_into_the_bundle(bundle: Path, data: Path, tmp_path: Path):
    quiet = write_quiet(tmp_path / "hall" / "quiet.wav", 36.0).parent
    places = ["--data", data, "--ambient", quiet]
    result = run("calibrate", bundle, *places, *BUDGET, "--folds", 1, start=WITHOUT_TENSORFLOW)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{bundle}\n"
    rows = [" ".join(line.split()) for line in result.stderr.splitlines()]
    assert any(row.startswith("low_tone ") and row.endswith("100.0 % 100.0 % 0") for row in rows)
    assert "noise: not heard in the validation audio, its policy stays as it was" in rows
    bound = "0 alarms in 0.01 h of ambient audio allow to claim at most 7.19e+03 false alarms a day"
    assert any(row.startswith(bound) for row in rows)
    found = read_bundle(bundle)
    assert found.id == "tones@2"
    assert found.manifest.policies["noise"].on_threshold == 0.5
    assert found.manifest.policies["low_tone"].on_threshold != 0.5
    assert len(found.manifest.provenance["calibration_files"]) == 5
    card = (bundle / "card.md").read_text()
    assert bound in card
    assert card.startswith("# Tones\n")


def test_what_it_was_calibrated_on_judges_it_no_more(bundle: Path, data: Path):
    first = run("calibrate", bundle, "--data", data, *BUDGET, "--folds", 1)
    assert "no ambient audio: nothing is known of false alarms" in first.stderr
    refused = run("evaluate", bundle, "--data", data, "--folds", 1)
    assert_one_line(refused, 2, "tones@2 was calibrated on 4 of 4 files")
    judged = run("evaluate", bundle, "--data", data, "--no-robust")
    assert "using folds [2] of [1, 2]" in judged.stderr
    assert read_bundle(bundle).manifest.provenance["evaluation"]["bundle"] == "tones@2"


def test_generated_ambient_audio_is_called_what_it_is(bundle: Path, data: Path, tmp_path: Path):
    out = tmp_path / "calibrated"
    options = ["--generated-ambient", 2, "--objective", "recall", "--out", out]
    result = run("calibrate", bundle, "--data", data, *BUDGET, *options)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{out}\n"
    assert "the ambient audio was generated (noises, knocks and clicks)" in result.stderr
    assert "the ambient audio was generated" in (out / "card.md").read_text()
    assert (read_bundle(bundle).id, read_bundle(out).id) == ("tones@1", "tones@2")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--false-alarms-per-day", "0"], "greater than or equal to 0.001"),
        (["--data", "no/such"], "no/such: expected a file or folder, found nothing"),
        (["--ambient", "x", "--generated-ambient", "1"], "--generated-ambient, got both"),
        (["--ambient", "no/such"], "no/such: expected a file or folder"),
        (["--objective", "luck"], "'luck' is not one of"),
    ],
)
def test_a_mistake_is_one_line(bundle: Path, data: Path, arguments: list[str], part: str):
    before = (bundle / "bundle.json").read_bytes()
    result = run("calibrate", bundle, "--data", data, *BUDGET, *arguments)
    assert_one_line(result, 2, part)
    assert (bundle / "bundle.json").read_bytes() == before


def test_the_help_shows_an_example():
    result = run("calibrate", "--help", start=WITHOUT_TENSORFLOW)
    assert result.returncode == 0, result.stderr
    assert "Example: trainer calibrate models/my-sounds --data" in result.stdout

"""`trainer calibrate` from the command line: policies in the bundle, what they are worth on stderr."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import soundfile

from listener.detection.bundle import Bundle, read_bundle
from tests.trainer.report.tones import write_judged, write_quiet
from tests.trainer.test_cli import WITHOUT_TENSORFLOW, assert_one_line, run
from tests.trainer.training.tones import RATE_HZ, tone

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
    kept = (
        "noise: not heard in the validation audio, its policy stays as it was; no recording shows"
    )
    assert any(row.startswith(kept) for row in rows)
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


def test_a_budget_that_would_make_a_label_deaf_changes_nothing(bundle: Path, tmp_path: Path):
    """A minute of a tone of 420 Hz scores .97 as the low tone, the clips of 600 Hz .93."""
    before = (bundle / "bundle.json").read_bytes()
    for name in ("data/low_tone/1.wav", "data/low_tone/2.wav", "minute.wav"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        minute = name == "minute.wav"
        soundfile.write(path, tone(420.0, 0.3, 60.0) if minute else tone(600.0, 0.3, 3.0), RATE_HZ)
    options = ["--data", tmp_path / "data", "--ambient", tmp_path / "minute.wav", *BUDGET]
    refused = run("calibrate", bundle, *options)
    assert (refused.returncode, refused.stdout) == (1, "")
    rows = [" ".join(line.split()) for line in refused.stderr.splitlines()]
    assert any(row.startswith("low_tone ") and "100.0 % 0.0 %" in row for row in rows)
    assert "label 0.1 a day 1 a day 5 a day 24 a day" in rows
    assert rows[-1] == (
        "trainer: tones@1: a budget of 5 false alarms a day leaves less than 50 % of low_tone 0.0 % "
        "(0 of 2 sounds, 2 before; 1440 a day would keep it). Nothing is changed: give a larger budget, "
        "or accept it with --least-recall"
    )
    assert (bundle / "bundle.json").read_bytes() == before
    accepted = run("calibrate", bundle, *options, "--least-recall", 0)
    assert accepted.returncode == 0, accepted.stderr
    assert "low_tone: no sound passes its policy: it reaches 0.9" in accepted.stderr
    assert "low_tone: no sound passes its policy" in (bundle / "card.md").read_text()


def test_without_recordings_there_must_be_held_back_clips(bundle: Path):
    refused = run("calibrate", bundle, *BUDGET, "--generated-ambient", 1)
    assert_one_line(refused, 2, "tones@1 holds no clips back: expected recordings in --data")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--false-alarms-per-day", "0"], "greater than or equal to 0.001"),
        (["--data", "no/such"], "no/such: expected a file or folder, found nothing"),
        (["--ambient", "x", "--generated-ambient", "1"], "--generated-ambient, got both"),
        (["--ambient", "no/such"], "no/such: expected a file or folder"),
        (["--objective", "luck"], "'luck' is not one of"),
        (["--least-recall", "101"], "less than or equal to 100"),
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

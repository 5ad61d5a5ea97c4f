"""`trainer fit` and what people give it by mistake: one clear line or a list of what was left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from listener.detection.bundle import Bundle, read_bundle
from tests.trainer.test_cli import assert_one_line, run
from tests.trainer.training.tones import RATE_HZ, SECONDS, tone, write_tones

# exports of a few KB more fail as on a full disk, and so do embeddings
FULL_DISK = (
    "-c",
    "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); "
    "from trainer.__main__ import main; main()",
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_tones(tmp_path / "data")


@pytest.fixture
def options(data: Path, tones_bundle: Bundle, tmp_path: Path) -> list[object]:
    places = ["--out", tmp_path / "models" / "tones", "--cache", tmp_path / "cache"]
    return ["--data", data, "--backbone", tones_bundle.path, "--copies", 0, *places]


def assert_nothing_made(tmp_path: Path) -> None:
    models = tmp_path / "models"
    assert not models.exists() or not list(models.iterdir())


def test_audio_that_cannot_be_learnt_from_is_listed(
    data: Path, options: list[object], tmp_path: Path
):
    bad = {"text": b"not audio", "empty": b""}
    for name, content in bad.items():
        (data / "audio" / f"1-{name}-A-0.wav").write_bytes(content)
    nan = np.full(round(SECONDS * RATE_HZ), np.nan, np.float32)
    soundfile.write(data / "audio" / "1-nan-A-0.wav", nan, RATE_HZ, subtype="FLOAT")
    names = sorted(f"1-{name}-A-0.wav" for name in (*bad, "nan", "gone"))
    with (data / "tones.csv").open("a") as table:
        table.writelines(f"{name},1,0,high\n" for name in names)
    result = run("fit", *options)
    assert result.returncode == 0, result.stderr
    left_out = read_bundle(tmp_path / "models" / "tones").manifest.provenance["left_out"]
    assert sorted(Path(line.partition(": ")[0]).name for line in left_out) == names
    assert all(name in result.stderr for name in names)


def test_a_recording_in_two_folds_is_refused(data: Path, options: list[object], tmp_path: Path):
    soundfile.write(data / "audio" / "2-high1-B-0.wav", tone(3000.0, 0.15), RATE_HZ)
    with (data / "tones.csv").open("a") as table:
        table.write("2-high1-B-0.wav,3,0,high\n")  # another take of what lies in fold 2
    result = run("fit", *options)
    assert_one_line(result, 2, "2-high1-B-0.wav", "in fold 1 and this one in fold 3")
    assert_nothing_made(tmp_path)


def test_an_empty_class_is_refused(tmp_path: Path, options: list[object]):
    folder = tmp_path / "folders"
    (folder / "siren").mkdir(parents=True)
    (folder / "bell").mkdir()
    soundfile.write(folder / "bell" / "one.wav", tone(500.0, 0.2), RATE_HZ)
    result = run("fit", *options, "--data", folder)
    assert_one_line(result, 2, "siren: expected audio of class 'siren', found none")
    assert_nothing_made(tmp_path)


def test_a_backbone_that_is_none_is_refused(data: Path, options: list[object], tmp_path: Path):
    result = run("fit", *options, "--backbone", data)
    assert_one_line(result, 2, "expected")
    assert_nothing_made(tmp_path)


def test_a_disk_that_fills_is_one_line_and_leaves_no_half_bundle(
    options: list[object], tmp_path: Path
):
    result = run("fit", *options, start=FULL_DISK)
    assert_one_line(result, 2, "File too large")
    assert_nothing_made(tmp_path)

"""`trainer retrain`, `promote`, `rollback`, `replay` and `similar` from the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from listener.detection.bundle import Bundle, read_bundle
from tests.trainer.stores import RATE_HZ, StoreWriter, said
from tests.trainer.test_cli import WITHOUT_TENSORFLOW, assert_one_line, run
from tests.trainer.training.tones import tone


@pytest.fixture
def store(tmp_path: Path) -> StoreWriter:
    """A low tone that was one, a high one that was none, and silence."""
    writer = StoreWriter(tmp_path / "clips")
    writer.add(tone(500.0, 0.5, 3.0), label="low_tone", verdict=said("right"))
    writer.add(tone(3000.0, 0.5, 3.0), label="high_tone", verdict=said("wrong"))
    writer.add(np.zeros(3 * RATE_HZ, np.float32), "ambient")
    return writer


def test_from_a_verdict_to_another_bundle_in_use_and_back(
    store: StoreWriter, tones_bundle: Bundle, tmp_path: Path
):
    models, better = tmp_path / "models", tmp_path / "better"
    clips = ["--clips", store.root]
    in_front = ["--models", models, "--noise-label", "noise"]

    first = run("promote", tones_bundle.path, *in_front, *clips)
    assert first.returncode == 0, first.stderr
    assert first.stdout == f"{models / 'tones@1'}\n"

    base = ["--base", models / "current", "--cache", tmp_path / "cache"]
    learnt = run("retrain", *clips, *base, "--out", better, "--unproven")
    assert learnt.returncode == 0, learnt.stderr
    assert "no held-out clips: what old classes lost is not known" in learnt.stderr
    assert learnt.stdout == f"{better}\n"
    assert read_bundle(better).id == "tones@2"

    second = run("promote", better, *in_front, "--unproven")
    assert second.returncode == 0, second.stderr
    assert (models / "current").readlink() == Path("tones@2")

    compared = run("replay", *clips, "--bundle", tones_bundle.path, "--against", models / "current")
    assert compared.returncode == 0, compared.stderr
    (gone,) = [json.loads(line) for line in compared.stdout.splitlines()]
    assert (gone["change"], gone["label"]) == ("gone", "high_tone")
    assert "gone with tones@2" in compared.stderr

    back = run("rollback", "--models", models)
    assert back.stdout == f"{models / 'tones@1'}\n"
    assert (models / "current").readlink() == Path("tones@1")
    assert_one_line(run("rollback", "--models", models), 1, "nothing was in use before current")


def test_every_reason_of_the_gate_is_a_line(
    store: StoreWriter, tones_bundle: Bundle, tmp_path: Path
):
    store.add(tone(500.0, 0.5, 5.0), "ambient")
    result = run(
        "promote", tones_bundle.path, "--models", tmp_path / "models", "--clips", store.root
    )
    assert result.returncode == 1
    assert result.stdout == ""
    *reasons, last = result.stderr.splitlines()[1:]
    assert last == f"trainer: {tones_bundle.path}: tones@1 stays out, reasons: {len(reasons)}"
    assert all(reason.startswith("refused: ") for reason in reasons)
    assert "refused: ambient clips: 1 false alarms" in reasons[-1]
    assert not (tmp_path / "models").exists()


def test_the_gate_hears_what_the_station_listens_for(tones_bundle: Bundle, tmp_path: Path):
    """The bundle hears noise in noise, and nobody asks for that."""
    command = ["promote", tones_bundle.path, "--models", tmp_path / "models"]
    assert run(*command).returncode == 1
    done = run(*command, "--label", "low_tone", "--label", "high_tone")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "models" / "current").readlink() == Path("tones@1")


def test_each_label_that_the_station_listens_for_needs_proof(
    store: StoreWriter, tones_bundle: Bundle, tmp_path: Path
):
    command = ["retrain", "--clips", store.root, "--base", tones_bundle.path]
    command += ["--out", tmp_path / "out", "--cache", tmp_path / "cache", "--label", "low_tone"]
    assert_one_line(run(*command), 1, "expected held-out clips of low_tone")


def test_a_torn_bundle_stays_out(tones_bundle: Bundle, tmp_path: Path):
    torn = Path(shutil.copytree(tones_bundle.path, tmp_path / "torn"))
    (torn / "model.tflite").write_bytes(b"torn")
    result = run("promote", torn, "--models", tmp_path / "models")
    assert_one_line(result, 1, "model.tflite: expected SHA-256")
    assert not (tmp_path / "models").exists()


def test_a_base_without_its_saved_model_cannot_be_corrected(
    store: StoreWriter, tones_bundle: Bundle, tmp_path: Path
):
    """As `trainer shrink` leaves it."""
    files = {
        name: digest
        for name, digest in tones_bundle.manifest.files.items()
        if not name.startswith("saved_model/")
    }
    bare = Path(shutil.copytree(tones_bundle.path, tmp_path / "bare"))
    shutil.rmtree(bare / "saved_model")
    manifest = json.loads((bare / "bundle.json").read_text())
    (bare / "bundle.json").write_text(json.dumps(manifest | {"files": files}))
    result = run("retrain", "--clips", store.root, "--base", bare, "--out", tmp_path / "out")
    assert_one_line(result, 2, f"{bare}: expected a bundle with saved_model/, found none")


def test_similar_clips_are_lines_of_json(store: StoreWriter):
    asked = store.add(np.zeros(RATE_HZ, np.float32), embedding=(1.0, 1.0))
    result = run("similar", asked.id, "--clips", store.root, "--count", 2)
    assert result.returncode == 0, result.stderr
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [each["cosine"] for each in found] == [0.7071, 0.7071]


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["retrain", "--clips", "x", "--base", "no/bundle", "--out", "y"], 1, "no/bundle"),
        (["retrain", "--clips", "x", "--base", "b"], 2, "Missing option '--out'"),
        (["promote", "no/bundle", "--models", "m"], 1, "expected a bundle directory"),
        (["rollback", "--models", "no/models"], 1, "expected a directory of bundles, found none"),
        (["similar", "X", "--clips", "no/store"], 2, "no/store: expected a clip store"),
        (
            ["replay", "--clips", "c", "--bundle", "a", "--against", "b", "--since", "week"],
            2,
            "expected 7d, 12h, 30m or a date such as 2026-11-20, got 'week'",
        ),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], code: int, part: str):
    assert_one_line(run(*arguments), code, part)


@pytest.mark.parametrize("command", ["retrain", "promote", "rollback", "replay", "similar"])
def test_the_help_shows_an_example_and_needs_no_tensorflow(command: str):
    result = run(command, "--help", start=WITHOUT_TENSORFLOW)
    assert result.returncode == 0, result.stderr
    assert f"Example: trainer {command}" in result.stdout

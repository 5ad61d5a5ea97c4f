"""`trainer export --serving` from the command line."""

from __future__ import annotations

from pathlib import Path

from listener.detection.bundle import read_bundle, served_model
from listener.starter import starter_bundle_path
from tests.rigs.bundles import without_saved_model
from tests.trainer.test_cli import WITHOUT_TENSORFLOW, assert_one_line, run


def test_the_folder_of_the_version_goes_to_stdout(tmp_path: Path):
    """A bundle without a SavedModel needs no TensorFlow."""
    small = without_saved_model(starter_bundle_path(), tmp_path / "starter")
    repository = tmp_path / "repository"
    result = run("export", small.path, "--serving", repository, start=WITHOUT_TENSORFLOW)
    assert result.returncode == 0, result.stderr
    served = served_model(read_bundle(small.path))
    version = tmp_path / "repository" / served.name / served.version
    assert result.stdout == f"{version}\n"
    assert (version / "model.tflite").is_file()
    assert "has no saved_model/" in result.stderr


def test_something_that_is_no_bundle_is_one_line(tmp_path: Path):
    result = run("export", tmp_path, "--serving", tmp_path / "repository")
    assert_one_line(result, 1, "expected a bundle directory with bundle.json")
    assert not (tmp_path / "repository").exists()

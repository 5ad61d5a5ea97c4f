"""The directory of bundles: one swap, the way back, and kill -9 at any moment."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from listener.detection.bundle import Bundle, BundleError, read_bundle
from tests.shared import ROOT
from trainer.errors import PromotionError
from trainer.promotion.models import INCOMING_PREFIX, ModelsDirectory, read_history
from trainer.report.rewrite import rewrite_bundle

Versions = Callable[[int], Bundle]


@pytest.fixture(scope="module")
def versions(tones_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Versions:
    """The tones bundle in any version."""
    folder = tmp_path_factory.mktemp("versions")

    def make(version: int) -> Bundle:
        path = folder / f"v{version}"
        manifest = replace(tones_bundle.manifest, version=version)
        return (
            read_bundle(path) if path.exists() else rewrite_bundle(tones_bundle, manifest, out=path)
        )

    return make


def in_use(path: Path) -> str:
    return read_bundle((path / "current").resolve()).id


def test_the_first_bundle_has_none_before_it(tmp_path: Path, versions: Versions):
    models = ModelsDirectory(tmp_path / "models")
    assert models.current() is None
    promoted = models.promote(versions(1))
    assert promoted.path == tmp_path / "models" / "tones@1"
    assert (models.path / "current").readlink() == Path("tones@1")
    assert not (models.path / "previous").exists()
    with pytest.raises(PromotionError, match="nothing was in use before current"):
        models.roll_back()


def test_the_way_back_leads_step_by_step(tmp_path: Path, versions: Versions):
    models = ModelsDirectory(tmp_path)
    for version in (1, 2, 3):
        models.promote(versions(version))
    assert (in_use(tmp_path), (tmp_path / "previous").readlink()) == ("tones@3", Path("tones@2"))
    assert models.roll_back().id == "tones@2"
    assert models.roll_back().id == "tones@1"
    assert in_use(tmp_path) == "tones@1"
    with pytest.raises(PromotionError, match="nothing was in use before"):
        models.roll_back()
    models.promote(versions(3))
    assert models.roll_back().id == "tones@1"


def test_a_bundle_in_use_again_leads_to_what_was_before_it_the_last_time(
    tmp_path: Path, versions: Versions
):
    models = ModelsDirectory(tmp_path)
    for version in (1, 2, 1):
        models.promote(versions(version))
    assert [models.roll_back().id for _ in range(2)] == ["tones@2", "tones@1"]
    with pytest.raises(PromotionError, match="nothing was in use before"):
        models.roll_back()


def test_the_same_bundle_twice_changes_nothing(tmp_path: Path, versions: Versions):
    models = ModelsDirectory(tmp_path)
    for version in (1, 2, 2):
        models.promote(versions(version))
    assert read_history(tmp_path) == ["tones@1", "tones@2"]


def test_another_bundle_of_the_same_version_is_refused(tmp_path: Path, versions: Versions):
    models = ModelsDirectory(tmp_path / "models")
    models.promote(versions(1))
    other = replace(versions(1).manifest, created="2026-02-02T00:00:00+00:00")
    candidate = rewrite_bundle(versions(1), other, out=tmp_path / "other")
    with pytest.raises(PromotionError, match="another bundle is tones@1 already"):
        models.promote(candidate)
    assert in_use(models.path) == "tones@1"


def test_a_damaged_bundle_is_no_way_back(tmp_path: Path, versions: Versions):
    models = ModelsDirectory(tmp_path)
    models.promote(versions(1))
    models.promote(versions(2))
    (tmp_path / "tones@1" / "model.tflite").write_bytes(b"torn")
    with pytest.raises(BundleError, match="expected SHA-256"):
        models.roll_back()
    assert in_use(tmp_path) == "tones@2"


def test_a_link_that_somebody_made_is_remembered(tmp_path: Path, versions: Versions):
    shutil.copytree(versions(7).path, tmp_path / "tones@7")
    (tmp_path / "current").symlink_to("tones@7")
    models = ModelsDirectory(tmp_path)
    models.promote(versions(8))
    assert models.roll_back().id == "tones@7"


def test_a_current_that_is_no_link_is_refused(tmp_path: Path):
    (tmp_path / "current").mkdir()
    with pytest.raises(PromotionError, match="expected a link to a bundle"):
        ModelsDirectory(tmp_path).current()


PROMOTE_AND_ROLL_BACK = """
import itertools, sys
from pathlib import Path
from listener.detection.bundle import read_bundle
from trainer.promotion.models import ModelsDirectory
models = ModelsDirectory(Path(sys.argv[1]))
candidates = [read_bundle(Path(path)) for path in sys.argv[2:]]
print("ready", flush=True)
for number in itertools.count():
    models.promote(candidates[number % len(candidates)])
    if number % 3 == 2:
        models.roll_back()
"""
KILLS = 20


def test_kill_9_at_any_moment_leaves_a_whole_bundle_in_use(tmp_path: Path, versions: Versions):
    """Each promotion copies anew, for its copies are removed while nothing runs."""
    models = ModelsDirectory(tmp_path)
    models.promote(versions(1))
    candidates = [str(versions(version).path) for version in (2, 3)]
    moments = random.Random(7)
    for _ in range(KILLS):
        before = in_use(tmp_path)
        for path in tmp_path.glob("tones@*"):
            if path.name != before:
                shutil.rmtree(path)
        _run_and_kill(tmp_path, candidates, moments.uniform(0.0, 0.05))
        assert in_use(tmp_path) in {"tones@1", "tones@2", "tones@3"}
        assert read_history(tmp_path)[-1:] != []
    models.promote(versions(4))
    assert in_use(tmp_path) == "tones@4"
    assert list(tmp_path.glob(INCOMING_PREFIX + "*")) == []
    assert models.roll_back().id != "tones@4"


def _run_and_kill(models: Path, candidates: list[str], after_seconds: float) -> None:
    program = [sys.executable, "-c", PROMOTE_AND_ROLL_BACK, str(models), *candidates]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"ready\n"
        time.sleep(after_seconds)  # the moment is what is drawn
        os.kill(run.pid, signal.SIGKILL)

"""`trainer evaluate` from the command line: the report's page on stdout, a mistake in one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from listener.detection.bundle import Bundle, check_golden, read_bundle
from listener.engines.litert import LiteRTEngine
from tests.trainer.report.pages import parse
from tests.trainer.report.tones import write_quiet
from tests.trainer.test_cli import assert_one_line, run
from tests.trainer.training.tones import write_tones
from trainer.training.fit_bundle import FitRequest, fit_bundle
from trainer.training.recipe import Recipe

WITHOUT_MATPLOTLIB = (
    "-c",
    "import sys; sys.modules['tensorflow'] = sys.modules['matplotlib'] = None; "
    "from trainer.__main__ import main; main()",
)
FULL_DISK = (
    "-c",
    "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); "
    "from trainer.__main__ import main; main()",
)


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tones(tmp_path_factory.mktemp("tones") / "data")


@pytest.fixture(scope="module")
def fitted(tones: Path, tones_bundle: Bundle) -> Bundle:
    """It learnt from folds 1 to 3."""
    request = FitRequest(
        data=(tones,),
        out=tones.parent / "fitted",
        backbone=str(tones_bundle.path),
        cache=tones.parent / "cache",
        recipe=Recipe(copies=0, head="network"),  # which has learning curves
        folds=(1, 2, 3),
    )
    return fit_bundle(request)


@pytest.fixture
def bundle(fitted: Bundle, tmp_path: Path) -> Iterator[Path]:
    """A copy of its own for each test; nothing else is left beside it."""
    path = Path(shutil.copytree(fitted.path, tmp_path / "models" / "tones"))
    yield path
    assert [each.name for each in path.parent.iterdir()] == ["tones"]


def content_of(path: Path) -> dict[Path, bytes]:
    return {each: each.read_bytes() for each in sorted(path.rglob("*")) if each.is_file()}


def test_a_report_on_the_folds_that_it_did_not_learn_from(bundle: Path, tones: Path):
    before = read_bundle(bundle)
    result = run("evaluate", bundle, "--data", tones)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{bundle}/report/index.html\n"
    lines = [" ".join(line.split()) for line in result.stderr.splitlines()]
    assert "using folds [4, 5] of [1, 2, 3, 4, 5]" in lines
    assert "accuracy 100.0 % of 8 clips" in lines
    after = read_bundle(bundle)  # every checksum is verified
    assert after.id == before.id
    assert check_golden(after, LiteRTEngine(after.model_path).infer) < 1e-5
    assert after.manifest.provenance["evaluation"]["folds"] == [4, 5]
    assert "It learnt from none of these clips." in (bundle / "card.md").read_text()
    document = json.loads((bundle / "report" / "evaluation.json").read_text())
    assert document["clip"]["confusion"] == [[4, 0], [0, 4]]


def test_what_it_learnt_from_is_refused(bundle: Path, tones: Path):
    before = content_of(bundle)
    result = run("evaluate", bundle, "--data", tones, "--folds", 1)
    assert_one_line(result, 2, "fitted@1 was trained on 4 of 4 files", "it never saw")
    assert content_of(bundle) == before


def test_ambient_audio_that_it_learnt_from_is_refused(bundle: Path, tones: Path):
    ambient = ["--ambient", tones / "audio" / "1-low1-A-1.wav"]
    result = run("evaluate", bundle, "--data", tones, *ambient)
    assert_one_line(result, 2, "was trained on 1 of 9 files")


def test_where_it_is_allowed_the_report_says_so_and_lies_beside_the_bundle(
    bundle: Path, tones: Path, tmp_path: Path
):
    before, out = content_of(bundle), tmp_path / "report"
    hall = write_quiet(tmp_path / "hall" / "quiet.wav", 36.0).parent
    options = ["--folds", 1, "--allow-seen", "--no-robust", "--ambient", hall, "--report", out]
    result = run("evaluate", bundle, "--data", tones, *options)
    assert result.stdout == f"{out}/index.html\n", result.stderr
    assert "0 in 36 s: at most 7190 a day (95 %)" in result.stderr
    page = parse((out / "index.html").read_text())
    assert any(each.alt.startswith("Loss and accuracy") for each in page.pictures)
    for part in (
        "The bundle learnt from these clips",
        "patches shuffled over the folds",
        "Not measured, because of `--no-robust`.",
    ):
        assert part in page.text
    assert content_of(bundle) == before


def test_a_full_disk_leaves_the_bundle_as_it_was(bundle: Path, tones: Path):
    before = content_of(bundle)
    result = run("evaluate", bundle, "--data", tones, "--no-robust", start=FULL_DISK)
    assert_one_line(result, 2, "cannot be written: File too large; what was there stays")
    assert content_of(bundle) == before


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["no/such/bundle"], 1, "expected a bundle directory with bundle.json"),
        (["BUNDLE", "--folds", "9"], 2, "folds: expected some of [1, 2, 3, 4, 5], got [9]"),
        (["BUNDLE", "--ambient", "no/such"], 2, "no/such: expected a file or folder"),
        (["BUNDLE", "--report", "REPORT"], 2, "cannot be written"),
    ],
)
def test_a_mistake_is_one_line(
    bundle: Path, tones: Path, tmp_path: Path, arguments: list[str], code: int, part: str
):
    (tmp_path / "file").write_text("x")
    places = {"BUNDLE": bundle, "REPORT": tmp_path / "file" / "report"}
    given = [places.get(each, each) for each in arguments]
    assert_one_line(run("evaluate", *given, "--data", tones, "--no-robust"), code, part)


def test_the_help_needs_neither_tensorflow_nor_matplotlib():
    result = run("evaluate", "--help", start=WITHOUT_MATPLOTLIB)
    assert result.returncode == 0, result.stderr
    assert "Example: trainer evaluate models/my-sounds --data" in result.stdout


def test_without_matplotlib_the_line_names_the_extra(bundle: Path, tones: Path):
    result = run("evaluate", bundle, "--data", tones, start=WITHOUT_MATPLOTLIB)
    assert_one_line(result, 3, "matplotlib is not installed: pip install 'earshot[train]'")

"""A bundle becomes a smaller one, or one line says why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from listener.adapters import open_engine
from listener.config.engine import EngineSettings
from listener.detection.bundle import Bundle, BundleError, read_bundle
from listener.detection.features import log_mel_patches
from listener.detection.params import FeatureParams
from tests.bundles import make_manifest, make_tones_model
from tests.trainer.data.doubles import write_samples
from tests.trainer.sections import faults
from tests.trainer.test_cli import WITHOUT_TENSORFLOW, Result, assert_one_line, run
from tests.trainer.training.tones import tone
from trainer.errors import DataError, TargetError
from trainer.evaluation.selection import digest_files
from trainer.export.bundle import export_bundle
from trainer.quantisation.shrink import ShrinkRequest, shrink_bundle

# whole patches: a tone that ends within one would spread over all bands
CLIP_SECONDS = (15_600 + 7_680) / 16_000
PARAMS = FeatureParams()
HZ = {"high_tone": 3000.0, "low_tone": 500.0}


def no_progress(_what: str) -> Callable[[int, int], None]:
    return lambda _done, _total: None


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten clips of each of two tones, a folder per class."""
    folder = tmp_path_factory.mktemp("data")
    for name, hz in HZ.items():
        for number in range(10):
            samples = tone(hz, 0.02 * (1 + number), CLIP_SECONDS).astype(np.float64)
            write_samples(folder / name / f"{name}{number}.wav", samples)
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Tones that 8 bits cannot tell apart: a weight of 300 on a band that is always silent."""
    model = make_tones_model(PARAMS)
    kernel, bias = model.get_layer("scores").get_weights()
    kernel[-1] += 300.0
    bias -= 300.0 * np.log(PARAMS.log_offset)
    model.get_layer("scores").set_weights([kernel, bias])
    manifest = make_manifest(PARAMS)
    known = manifest.provenance | {"evaluation": {"bundle": "of float32"}}
    path = tmp_path_factory.mktemp("bundles") / "tones"
    return export_bundle(path, model, replace(manifest, provenance=known), "# Tones\n\nBy hand.\n")


@pytest.fixture(scope="module")
def result(bundle: Bundle, data: Path) -> Result:
    out = bundle.path.with_name("small")
    return run("shrink", bundle.path, "--data", data, "--out", out)


@pytest.fixture(scope="module")
def shrunk(bundle: Bundle, result: Result) -> Bundle:
    assert result.returncode == 0, result.stderr
    return read_bundle(bundle.path.with_name("small"))


def tried(bundle: Bundle) -> dict[str, dict[str, Any]]:
    return {each["form"]: each for each in bundle.manifest.provenance["forms"]["tried"]}


def test_all_forms_are_measured_and_8_bits_are_too_few(shrunk: Bundle, data: Path):
    """The first of two equal scores wins, and half of the clips have it."""
    forms = tried(shrunk)
    assert list(forms) == ["float32", "float16", "dynamic", "int8"]
    assert forms["float32"]["accuracy"] == forms["float16"]["accuracy"] == 1.0
    assert forms["float32"]["fault"] is forms["float16"]["fault"] is None
    assert forms["int8"]["accuracy_loss_points"] == pytest.approx(50.0)
    assert forms["int8"]["fault"].startswith("loses 50.00 points of clip accuracy")
    assert forms["float32"]["speed"] == 1.0
    assert all(form["speed"] > 0 for form in forms.values())
    found = shrunk.manifest.provenance["forms"]
    assert (found["clips"], found["data"]) == (18, [str(data)])


def test_the_smaller_bundle_runs_in_the_daemon(shrunk: Bundle):
    engine = open_engine(read_bundle(shrunk.path), EngineSettings())  # with its golden check
    patches = log_mel_patches(tone(500.0, 0.3), PARAMS)
    assert engine.infer(patches)[0].argmax(axis=1).tolist() == [0] * len(patches)


def test_the_smaller_bundle_describes_itself(shrunk: Bundle, bundle: Bundle):
    assert shrunk.id == "tones@2"
    assert shrunk.saved_model_path is None
    assert shrunk.manifest.policies == bundle.manifest.policies
    known = shrunk.manifest.provenance
    assert faults(known) == []
    assert known["data"] == bundle.manifest.provenance["data"]
    assert "evaluation" not in known  # it was of another model
    card = (shrunk.path / "card.md").read_text()
    assert card.startswith("# Tones\n\nBy hand.")
    assert f"This bundle holds {known['storage']}. Measured by `trainer shrink` on 18 clips" in card
    assert "| float32 | " in card
    assert "| no: loses 50.00 points of clip accuracy" in card


def test_golden_scores_are_the_forms_own(shrunk: Bundle):
    golden = shrunk.read_golden()
    infer = open_engine(shrunk, EngineSettings()).infer
    patches = log_mel_patches(golden.waveform, PARAMS)
    np.testing.assert_allclose(infer(patches)[0], golden.scores, atol=1e-5)
    assert (
        golden.tolerance == tried(shrunk)[shrunk.manifest.provenance["storage"]]["golden_tolerance"]
    )


def test_clips_of_its_training_are_refused(bundle: Bundle, data: Path, tmp_path: Path):
    files = digest_files(list(data.glob("*/*0.wav")))
    known = bundle.manifest.provenance | {"training_files": files}
    trained = replace(bundle, manifest=replace(bundle.manifest, provenance=known))
    folds = tuple(range(1, 6))
    with pytest.raises(DataError, match="tones@1 was trained on 2 of 20 files"):
        shrink_bundle(ShrinkRequest(trained, (data,), tmp_path / "out", "best", folds), no_progress)


def test_a_bundle_without_its_saved_model_is_refused(shrunk: Bundle, data: Path, tmp_path: Path):
    with pytest.raises(BundleError, match=r"expected a bundle with saved_model/, found none"):
        shrink_bundle(ShrinkRequest(shrunk, (data,), tmp_path / "out"), no_progress)


def test_a_bundle_is_never_replaced_by_its_smaller_form(bundle: Bundle, data: Path):
    with pytest.raises(TargetError, match="expected another place than the bundle's own"):
        shrink_bundle(ShrinkRequest(bundle, (data,), bundle.path), no_progress)
    assert read_bundle(bundle.path).saved_model_path is not None


def test_a_form_that_loses_too_much_is_refused_with_its_figures(
    bundle: Bundle, data: Path, tmp_path: Path
):
    arguments = [bundle.path, "--data", data, "--out", tmp_path / "small"]
    result = run("shrink", *arguments, "--form", "int8")
    assert_one_line(result, 1, "int8: ", "clip accuracy 50.0 %", "loses 50.00 points")
    assert list(tmp_path.iterdir()) == []


def test_the_best_is_the_smallest_that_is_offered(shrunk: Bundle):
    offered = [each for each in tried(shrunk).values() if each["fault"] is None]
    smallest = min(offered, key=lambda each: each["size_bytes"])
    assert shrunk.manifest.provenance["storage"] == smallest["form"] != "int8"
    assert shrunk.model_path.stat().st_size == smallest["size_bytes"]


def test_the_path_goes_to_stdout_and_the_figures_to_stderr(result: Result, shrunk: Bundle):
    assert result.stdout == f"{shrunk.path}\n"
    for form in tried(shrunk):
        assert f"\n{form}: " in result.stderr


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--out", "x"], "Missing option '--data'"),
        (["--out", "x", "--data", "x", "--form", "int4"], "'int4' is not one of"),
    ],
)
def test_a_wrong_option_is_one_line(bundle: Bundle, arguments: list[str], part: str):
    assert_one_line(run("shrink", bundle.path, *arguments), 2, part)


def test_the_help_needs_no_tensorflow():
    result = run("shrink", "--help", start=WITHOUT_TENSORFLOW)
    assert result.returncode == 0, result.stderr
    assert "Example: trainer shrink models/my-sounds --data" in " ".join(result.stdout.split())

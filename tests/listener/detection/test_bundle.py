"""Bundles: written whole, read only when every byte is right, refused in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from listener.detection.bundle import (
    Bundle,
    BundleError,
    Label,
    Manifest,
    ServedModel,
    check_golden,
    read_bundle,
    served_model,
    write_bundle,
)
from listener.detection.params import FeatureParams, Preprocessing
from listener.detection.policy import LabelPolicy
from tests.listener.sinks.notices import manifest

WAVEFORM = np.zeros(15_600, np.float32)  # one patch
SCORES = np.array([[0.25, 0.75]], np.float32)
MANIFEST = Manifest(
    name="pair",
    version=3,
    created="2026-01-01T00:00:00+00:00",
    labels=(Label("dog", "Dog"), Label("cat", "Cat")),
    policies={"dog": LabelPolicy(), "cat": LabelPolicy(on_threshold=0.9)},
    provenance={"data": "none"},
)


def write_contents(directory: Path, model: bytes = b"a model") -> Path:
    (directory / "saved_model").mkdir(parents=True)
    (directory / "saved_model" / "saved_model.pb").write_bytes(b"a graph")
    (directory / "model.tflite").write_bytes(model)
    np.savez(directory / "golden.npz", waveform=WAVEFORM, scores=SCORES)
    return directory


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_bundle(tmp_path / "pair", MANIFEST, write_contents(tmp_path / "contents"))


def edit_manifest(bundle: Bundle, **changes: Any) -> Path:
    path = bundle.path / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return bundle.path


def write_golden(bundle: Bundle, waveform: np.ndarray, scores: np.ndarray) -> None:
    np.savez(bundle.path / "golden.npz", waveform=waveform, scores=scores)


def infer_golden(patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat(SCORES, len(patches), axis=0), np.zeros((len(patches), 4), np.float32)


def test_what_was_written_is_read(bundle: Bundle):
    again = read_bundle(bundle.path)
    assert again == bundle
    assert again.id == "pair@3"
    assert again.labels == ("dog", "cat")
    assert again.manifest.policies["cat"].on_threshold == 0.9
    assert replace(again.manifest, files={}) == MANIFEST
    assert set(again.manifest.files) == {"model.tflite", "golden.npz", "saved_model/saved_model.pb"}
    assert again.saved_model_path == bundle.path / "saved_model"


def test_preprocessing_is_written_and_read(tmp_path: Path):
    features = FeatureParams(preprocessing=Preprocessing(high_pass_hz=150.0, level_dbfs=-20.0))
    contents = write_contents(tmp_path / "contents")
    made = write_bundle(tmp_path / "pair", replace(MANIFEST, features=features), contents)
    assert read_bundle(made.path).manifest.features == features


def test_a_manifest_from_before_preprocessing_has_none(bundle: Bundle):
    features = json.loads((bundle.path / "bundle.json").read_text())["features"]
    del features["preprocessing"]
    older = read_bundle(edit_manifest(bundle, features=features))
    assert older.manifest.features.preprocessing == Preprocessing()
    assert older.manifest.features == FeatureParams()


def test_a_bundle_may_have_no_saved_model(tmp_path: Path):
    contents = write_contents(tmp_path / "contents")
    (contents / "saved_model" / "saved_model.pb").unlink()
    (contents / "saved_model").rmdir()
    assert write_bundle(tmp_path / "pair", MANIFEST, contents).saved_model_path is None


def test_an_older_bundle_is_replaced_and_nothing_else_is_left(bundle: Bundle):
    parent = bundle.path.parent
    contents = write_contents(parent / "newer", b"a newer model")
    newer = write_bundle(bundle.path, replace(MANIFEST, version=4), contents)
    assert newer.id == "pair@4"
    assert newer.model_path.read_bytes() == b"a newer model"
    assert [path.name for path in parent.iterdir()] == ["pair"]


def test_something_else_is_never_replaced(tmp_path: Path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"cat")
    with pytest.raises(BundleError, match="expected a free name or an older bundle"):
        write_bundle(tmp_path / "photos", MANIFEST, write_contents(tmp_path / "contents"))
    assert (tmp_path / "photos" / "cat.jpg").read_bytes() == b"cat"


def test_a_missing_directory_is_refused(tmp_path: Path):
    with pytest.raises(BundleError, match=r"expected a bundle directory with bundle\.json"):
        read_bundle(tmp_path / "gone")


def test_a_file_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(BundleError, match="expected a bundle directory"):
        read_bundle(tmp_path / "file")


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[]", b"null"])
def test_a_manifest_that_is_no_json_object_is_refused(bundle: Bundle, text: bytes):
    (bundle.path / "bundle.json").write_bytes(text)
    with pytest.raises(BundleError, match=r"bundle\.json"):
        read_bundle(bundle.path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "Two Words"}, "name: expected 1 to 64"),
        ({"name": "../up"}, "name: expected 1 to 64"),
        ({"version": "three"}, "version"),
        ({"labels": []}, "labels: expected at least one"),
        ({"labels": [{"slug": "dog", "name": "Dog"}] * 2}, "each slug once"),
        ({"labels": [{"slug": "Dog!", "name": "Dog"}]}, r"label slug: expected 1 to 64"),
        ({"policies": {}}, "policies: expected one for each label"),
        ({"policies": {"dog": {"on_threshold": 2.0}, "cat": {}}}, "expected 0 < off <= on <= 1"),
        ({"features": {"patch_hop_seconds": 0.473}}, "whole number of stft hops"),
        ({"features": {"preprocessing": {"low_pass_hz": 9}}}, "low_pass_hz"),
        ({"activation": "tanh"}, "activation"),
        ({"colour": "red"}, "colour"),
        ({"format": 2}, "expected format 1, got 2"),
        ({"files": {}}, r"expected model\.tflite, it is not listed"),
    ],
)
def test_a_wrong_manifest_is_refused_with_the_place(bundle: Bundle, changes, message):
    with pytest.raises(BundleError, match=message) as caught:
        read_bundle(edit_manifest(bundle, **changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["model.tflite", "golden.npz", "saved_model/saved_model.pb"])
def test_one_flipped_bit_is_refused(bundle: Bundle, name: str):
    path = bundle.path / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match=f"{name}: expected SHA-256"):
        read_bundle(bundle.path)


def test_a_missing_file_is_refused(bundle: Bundle):
    bundle.model_path.unlink()
    with pytest.raises(
        BundleError, match="No such file or directory, though the manifest lists it"
    ):
        read_bundle(bundle.path)


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname"])
def test_a_listed_file_outside_the_bundle_is_refused(bundle: Bundle, name: str):
    files = dict(bundle.manifest.files) | {name: "0" * 64}
    with pytest.raises(BundleError, match="leads out of the bundle"):
        read_bundle(edit_manifest(bundle, files=files))


def test_a_link_that_leads_out_of_the_bundle_is_refused(bundle: Bundle):
    outside = bundle.path.parent / "outside.tflite"
    bundle.model_path.rename(outside)
    bundle.model_path.symlink_to(outside)
    with pytest.raises(BundleError, match="leads out of the bundle"):
        read_bundle(bundle.path)


def test_the_golden_check_gives_the_largest_difference(bundle: Bundle):
    write_golden(bundle, waveform=WAVEFORM, scores=SCORES + np.array([[0.0, 2**-11]], np.float32))
    assert check_golden(bundle, infer_golden) == 2**-11  # 0.0005, within the tolerance of 0.001


@pytest.mark.parametrize("wrong", [0.002, -0.25, np.nan, np.inf])
def test_golden_scores_that_differ_are_refused(bundle: Bundle, wrong: float):
    write_golden(bundle, waveform=WAVEFORM, scores=SCORES + np.array([[wrong, 0.0]], np.float32))
    with pytest.raises(BundleError, match=r"golden check: expected scores within 0\.001"):
        check_golden(bundle, infer_golden)


def test_golden_scores_may_bring_a_tolerance_of_their_own(bundle: Bundle):
    """For a model that rounds its activations; checked within it, and refused beyond it."""
    scores = SCORES + np.array([[0.0, 0.0625]], np.float32)
    np.savez(bundle.path / "golden.npz", waveform=WAVEFORM, scores=scores, tolerance=0.07)
    assert check_golden(bundle, infer_golden) == 0.0625
    np.savez(bundle.path / "golden.npz", waveform=WAVEFORM, scores=scores, tolerance=0.06)
    with pytest.raises(BundleError, match=r"expected scores within 0\.06, they differ by 0\.062"):
        check_golden(bundle, infer_golden)


@pytest.mark.parametrize("tolerance", [0.0, -1.0, 0.2, np.nan, [0.1, 0.1], "loose"])
def test_a_tolerance_that_checks_nothing_is_refused(bundle: Bundle, tolerance: Any):
    np.savez(bundle.path / "golden.npz", waveform=WAVEFORM, scores=SCORES, tolerance=tolerance)
    with pytest.raises(BundleError, match="golden"):
        bundle.read_golden()


@pytest.mark.parametrize("scores", [SCORES[:, :1], SCORES[0], np.repeat(SCORES, 2, axis=0)])
def test_golden_scores_of_another_shape_are_refused(bundle: Bundle, scores: np.ndarray):
    write_golden(bundle, waveform=WAVEFORM, scores=scores)
    with pytest.raises(BundleError, match="golden"):
        check_golden(bundle, infer_golden)


def test_an_engine_with_another_number_of_scores_is_refused(bundle: Bundle):
    with pytest.raises(BundleError, match=r"the engine gave \(1, 3\)"):
        check_golden(bundle, lambda patches: (np.zeros((1, 3), np.float32), patches[:, 0]))


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 torn"])
def test_a_golden_file_that_is_no_archive_is_refused(bundle: Bundle, content: bytes):
    (bundle.path / "golden.npz").write_bytes(content)
    with pytest.raises(BundleError, match="expected arrays waveform and scores"):
        bundle.read_golden()


def test_a_golden_file_of_one_array_is_refused(bundle: Bundle):
    with (bundle.path / "golden.npz").open("wb") as file:
        np.save(file, WAVEFORM)
    with pytest.raises(BundleError, match="expected arrays waveform and scores"):
        bundle.read_golden()


def test_a_golden_file_without_scores_is_refused(bundle: Bundle):
    np.savez(bundle.path / "golden.npz", waveform=WAVEFORM)
    with pytest.raises(BundleError, match="expected arrays waveform and scores"):
        bundle.read_golden()


def test_a_golden_file_never_runs_a_pickle(bundle: Bundle):
    write_golden(bundle, waveform=WAVEFORM, scores=np.array([{"a": 1}], dtype=object))
    with pytest.raises(BundleError, match="expected arrays waveform and scores"):
        bundle.read_golden()


@pytest.mark.parametrize(
    "waveform", [WAVEFORM[:0], np.zeros((2, 15_600), np.float32), np.array(["a"]), np.zeros(9, int)]
)
def test_a_golden_waveform_of_another_kind_is_refused(bundle: Bundle, waveform: np.ndarray):
    write_golden(bundle, waveform=waveform, scores=SCORES)
    with pytest.raises(BundleError, match="golden"):
        check_golden(bundle, infer_golden)


def test_a_saved_model_that_the_manifest_does_not_list_is_not_used(bundle: Bundle):
    files = dict(bundle.manifest.files)
    del files["saved_model/saved_model.pb"]
    edit_manifest(bundle, files=files)
    assert read_bundle(bundle.path).saved_model_path is None


def test_the_format_is_named_even_when_its_fields_are_new(bundle: Bundle):
    with pytest.raises(BundleError, match="expected format 1, got 2"):
        read_bundle(edit_manifest(bundle, format=2, colour="red"))


def test_the_older_bundle_stays_when_the_new_one_cannot_be_moved(bundle: Bundle, monkeypatch):
    contents = write_contents(bundle.path.parent / "newer")
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self == contents:
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="No space left"):
        write_bundle(bundle.path, replace(MANIFEST, version=4), contents)
    assert read_bundle(bundle.path).id == "pair@3"


def test_name_version_and_model_make_it():
    files = {"model.tflite": "0123456789abcdef" * 4, "golden.npz": "f" * 64}
    made = replace(manifest(), name="home-alarms", version=3, files=files)
    assert served_model(Bundle(Path("none"), made)) == ServedModel("home-alarms-0123456789ab", "3")
    assert str(served_model(Bundle(Path("none"), made))) == "home-alarms-0123456789ab version 3"

"""Export: a bundle that the daemon accepts, or none at all."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import keras
import numpy as np
import pytest

from listener.detection.bundle import Bundle, BundleError, check_golden, read_bundle
from listener.detection.features import log_mel_patches
from listener.detection.params import FeatureParams
from listener.engines.litert import LiteRTEngine
from tests.bundles import make_manifest, make_tones_bundle, make_tones_model
from trainer.config import Form
from trainer.errors import ParityError, TargetError
from trainer.export.bundle import (
    check_target,
    convert_to_tflite,
    export_bundle,
    golden_waveform,
    make_golden,
)

PARAMS = FeatureParams()


def test_a_bundle_is_read_back_and_passes_its_golden_check(tones_bundle: Bundle):
    bundle = read_bundle(tones_bundle.path)
    assert bundle.id == "tones@1"
    assert check_golden(bundle, LiteRTEngine(bundle.model_path).infer) < 1e-5
    assert bundle.saved_model_path is not None
    assert (bundle.path / "card.md").read_text() == "# Tones\n"
    assert bundle.manifest.provenance["storage"] == "float32"
    assert bundle.manifest.provenance["tflite_score_difference"] < 1e-5


def test_the_golden_waveform_is_three_seconds_and_always_the_same():
    first, second = golden_waveform(16_000), golden_waveform(16_000)
    np.testing.assert_array_equal(first, second)
    assert first.shape == (48_000,)
    assert first.dtype == np.float32
    assert np.abs(first).max() <= 0.6


def test_the_golden_scores_are_those_of_the_keras_model():
    model = make_tones_model(PARAMS)
    golden = make_golden(model, PARAMS)
    patches = log_mel_patches(golden.waveform, PARAMS)
    np.testing.assert_array_equal(golden.scores, model(patches)["scores"])


def test_an_older_bundle_is_replaced_and_nothing_else_is_left(tmp_path: Path):
    make_tones_bundle(tmp_path / "tones")
    newer = make_tones_bundle(tmp_path / "tones", FeatureParams(patch_hop_seconds=0.24))
    assert newer.manifest.features.patch_hop_seconds == 0.24
    assert [path.name for path in tmp_path.iterdir()] == ["tones"]


def test_the_directories_above_a_bundle_are_made(tmp_path: Path):
    assert make_tones_bundle(tmp_path / "models" / "new" / "tones").path.is_dir()


def test_something_else_at_the_target_is_refused_before_any_work(tmp_path: Path):
    with pytest.raises(TargetError, match="expected a free name or an older bundle"):
        check_target(tmp_path)


def test_a_target_below_a_file_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(TargetError, match="cannot be written"):
        check_target(tmp_path / "file" / "bundle")


def export_storage(path: Path, model: keras.Model) -> Bundle:
    return export_bundle(path, model, make_manifest(PARAMS), "", storage="float16")


def test_float16_is_kept_where_the_scores_agree(tmp_path: Path):
    """Weights that float16 holds exactly lose nothing."""
    model = make_tones_model(PARAMS)
    dense = model.get_layer("scores")
    dense.set_weights(
        [weights.astype(np.float16).astype(np.float32) for weights in dense.get_weights()]
    )
    bundle = export_storage(tmp_path / "tones", model)
    assert bundle.manifest.provenance["storage"] == "float16"


def test_float16_is_refused_where_the_scores_differ_and_leaves_nothing(tmp_path: Path):
    """1 + 1/2048 becomes 1, against a log-mel of about -7 times 640: the scores are far apart."""
    model = make_tones_model(PARAMS)
    kernel = np.zeros((64, 3), np.float32)
    kernel[::2], kernel[1::2] = 1.0 + 2**-11, -1.0
    model.get_layer("scores").set_weights([10 * kernel, np.zeros(3, np.float32)])
    with pytest.raises(ParityError, match=r"float16 storage: expected scores within 0\.0001"):
        export_storage(tmp_path / "tones", model)
    assert list(tmp_path.iterdir()) == []


def copy_of(bundle: Bundle, path: Path) -> Path:
    for file in [f for f in bundle.path.rglob("*") if f.is_file()]:
        target = path / file.relative_to(bundle.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    return path


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_flipped_bit_in_the_model_is_refused_by_its_checksum(
    tones_bundle: Bundle, tmp_path: Path, place: float
):
    path = copy_of(tones_bundle, tmp_path / "tones")
    content = bytearray((path / "model.tflite").read_bytes())
    content[int(place * len(content))] ^= 0x10
    (path / "model.tflite").write_bytes(content)
    with pytest.raises(BundleError, match=r"model\.tflite: expected SHA-256"):
        read_bundle(path)


def test_tampered_golden_scores_are_refused_by_the_golden_check(
    tones_bundle: Bundle, tmp_path: Path
):
    golden = tones_bundle.read_golden()
    bundle = Bundle(copy_of(tones_bundle, tmp_path / "tones"), tones_bundle.manifest)
    scores = golden.scores.copy()
    scores[0, 0] += 0.01
    np.savez(bundle.path / "golden.npz", waveform=golden.waveform, scores=scores)
    with pytest.raises(BundleError, match="golden check: expected scores within"):
        check_golden(bundle, LiteRTEngine(bundle.model_path).infer)


SAMPLES = np.random.default_rng(0).normal(0.0, 0.1, 48_000).astype(np.float32)


def saved_model(bundle: Bundle) -> Path:
    assert bundle.saved_model_path is not None
    return bundle.saved_model_path


@pytest.mark.parametrize("form", get_args(Form))
def test_any_batch_of_float32_in_and_out(tones_bundle: Bundle, tmp_path: Path, form: Form):
    patches = log_mel_patches(SAMPLES, tones_bundle.manifest.features)
    model = tmp_path / f"{form}.tflite"
    model.write_bytes(convert_to_tflite(saved_model(tones_bundle), form, patches))
    expected, _ = LiteRTEngine(tones_bundle.model_path).infer(patches)
    scores, embeddings = LiteRTEngine(model).infer(patches)
    assert scores.dtype == embeddings.dtype == np.float32
    np.testing.assert_allclose(scores, expected, atol=0.1)
    rounded = np.abs(scores - expected).max() > 1e-6
    assert rounded == (form in {"float16", "int8"})  # dynamic leaves matrices as small as this one


def test_fixed_ranges_need_something_to_show_them(tones_bundle: Bundle):
    with pytest.raises(ValueError, match="int8: expected representative patches, got none"):
        convert_to_tflite(saved_model(tones_bundle), "int8")

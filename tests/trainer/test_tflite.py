"""Every form of a model takes and gives what the bundle's contract says."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from listener.detection.bundle import Bundle
from listener.detection.features import log_mel_patches
from listener.engines.litert import LiteRTEngine
from trainer.config import Form
from trainer.tflite import convert_to_tflite

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

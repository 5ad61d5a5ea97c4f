"""A bundle's SavedModel: loaded, or one line that says what is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from listener.detection.bundle import Bundle, BundleError
from listener.engines.engine import EngineError
from listener.engines.saved_model import PATCHES, WINDOWS, SavedModel


def test_a_new_bundle_has_both_signatures_and_no_other(tones_bundle: Bundle):
    model = SavedModel(tones_bundle.saved_model_path, threads=1)
    assert [model.has(name) for name in (PATCHES, WINDOWS, "other")] == [True, True, False]


def test_a_tensor_does_not_follow_the_array_it_was_copied_from(tones_bundle: Bundle):
    rows = np.ones((2, 3), np.float32)
    tensor = SavedModel(tones_bundle.saved_model_path, threads=1).copy(rows)
    rows[:] = 0.0
    assert tensor.numpy().tolist() == [[1.0] * 3] * 2


def test_it_computes_in_float32_and_not_in_ten_bits(tones_bundle: Bundle):
    tensorflow = SavedModel(tones_bundle.saved_model_path, threads=1).tensorflow
    assert not tensorflow.config.experimental.tensor_float_32_execution_enabled()


def test_a_bundle_without_saved_model_is_one_line():
    with pytest.raises(BundleError, match="expected saved_model/ in the bundle, found none"):
        SavedModel(None, threads=1)


def test_a_directory_that_is_no_saved_model_is_one_line(tmp_path: Path):
    with pytest.raises(BundleError, match="expected a SavedModel"):
        SavedModel(tmp_path, threads=1)


def test_without_tensorflow_the_line_names_the_extra(
    tones_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # how Python marks a module as absent
    with pytest.raises(EngineError, match=r"pip install 'earshot\[tensorflow\]'"):
        SavedModel(tones_bundle.saved_model_path, threads=1)

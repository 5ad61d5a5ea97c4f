"""LiteRTEngine: batches in parts, arrays that belong to the caller, one line for a wrong model."""

from __future__ import annotations

import mmap
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from listener.detection.bundle import Bundle, BundleError
from listener.engines.litert import LiteRTEngine, batch_sizes, release_pages, split_batch

MEGABYTE = 1 << 20


def random_patches(count: int) -> np.ndarray:
    return np.random.default_rng(count).normal(-3.0, 2.0, (count, 96, 64)).astype(np.float32)


@pytest.mark.parametrize(
    ("max_batch", "sizes"),
    [(1, (1,)), (3, (1,)), (4, (4, 1)), (20, (16, 4, 1)), (48, (16, 4, 1)), (64, (16, 4, 1))],
)
def test_batch_sizes_are_the_powers_of_four_up_to_max_batch_and_sixteen(max_batch, sizes):
    assert batch_sizes(max_batch) == sizes


def test_seven_patches_run_as_four_and_three_ones():
    assert split_batch(7, (16, 4, 1)) == [4, 1, 1, 1]


@given(st.integers(1, 5000), st.integers(1, 300))
def test_the_parts_of_a_batch_add_up_to_it(count, max_batch):
    sizes = batch_sizes(max_batch)
    parts = split_batch(count, sizes)
    assert sum(parts) == count
    assert set(parts) <= set(sizes)


@pytest.mark.parametrize("count", [1, 2, 4, 7, 16, 21])
def test_a_batch_gives_the_scores_of_its_patches_one_by_one(tones_bundle: Bundle, count: int):
    engine = LiteRTEngine(tones_bundle.model_path, max_batch=16)
    patches = random_patches(count)
    scores, embeddings = engine.infer(patches)
    assert scores.shape == (count, 3)
    assert embeddings.shape == (count, 64)
    for row, patch in enumerate(patches):
        one_scores, one_embedding = engine.infer(patch[None])
        np.testing.assert_allclose(scores[row], one_scores[0], atol=1e-6)
        np.testing.assert_allclose(embeddings[row], one_embedding[0], atol=1e-5)


@pytest.mark.parametrize("count", [1, 4, 5])
def test_a_later_call_does_not_change_earlier_arrays(tones_bundle: Bundle, count: int):
    engine = LiteRTEngine(tones_bundle.model_path)
    scores, embeddings = engine.infer(random_patches(count))
    kept = scores.copy(), embeddings.copy()
    engine.infer(np.zeros((count, 96, 64), np.float32))
    np.testing.assert_array_equal(scores, kept[0])
    np.testing.assert_array_equal(embeddings, kept[1])


@pytest.mark.parametrize(
    "content", [b"", b"not a model at all", b"\x1c\x00\x00\x00TFL3" + b"\0" * 64]
)
def test_a_file_that_is_no_model_is_one_line(tmp_path: Path, content: bytes):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"model\.tflite: expected"):
        LiteRTEngine(path)


def test_a_missing_file_is_one_line(tmp_path: Path):
    with pytest.raises(BundleError, match=r"gone\.tflite: expected a TFLite model"):
        LiteRTEngine(tmp_path / "gone.tflite")


def write_model(path: Path, function: Callable[..., Any], **inputs: tf.TensorSpec) -> Path:
    """A TFLite model of a function without weights."""
    concrete = tf.function(function).get_concrete_function(**inputs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module())
    path.write_bytes(converter.convert())
    return path


def spec(*shape: int | None, name: str = "patches") -> tf.TensorSpec:
    return tf.TensorSpec(shape, tf.float32, name=name)


def means(patches: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(patches, axis=1)


@pytest.mark.parametrize(
    ("function", "patches", "message"),
    [
        (
            lambda patches: {"scores": means(patches)},
            spec(None, 96, 64),
            r"expected the output embeddings, found \['scores'\]",
        ),
        (
            lambda patches: {"scores": patches + 1.0, "embeddings": means(patches)},
            spec(None, 96, 64),
            r"scores: expected float32 \(any, any\), found float32 \(-1, 96, 64\)",
        ),
        (
            lambda patches: {
                "scores": means(patches),
                "embeddings": tf.cast(means(patches), tf.int32),
            },
            spec(None, 96, 64),
            r"embeddings: expected float32 \(any, any\), found int32 \(-1, 64\)",
        ),
        (
            lambda patches: {"scores": means(patches), "embeddings": 2.0 * means(patches)},
            spec(None, 96, 40),
            r"patches: expected float32 \(any, 96, 64\), found float32 \(-1, 96, 40\)",
        ),
        (
            lambda patches: {"scores": means(patches), "embeddings": 2.0 * means(patches)},
            spec(1, 96, 64),
            r"patches: expected float32 \(any, 96, 64\), found float32 \(1, 96, 64\)",
        ),
    ],
)
def test_a_model_with_other_tensors_is_one_line(tmp_path: Path, function, patches, message):
    path = write_model(tmp_path / "model.tflite", function, patches=patches)
    with pytest.raises(BundleError, match=message):
        LiteRTEngine(path)


def test_a_model_with_another_input_is_one_line(tmp_path: Path):
    path = write_model(
        tmp_path / "model.tflite",
        lambda audio: {"scores": means(audio), "embeddings": 2.0 * means(audio)},
        audio=spec(None, 96, 64, name="audio"),
    )
    with pytest.raises(BundleError, match=r"expected the one input patches, found \['audio'\]"):
        LiteRTEngine(path)


def resident_kilobytes(path: Path) -> int:
    """The memory of all mappings of a file."""
    total, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        key, *rest = line.split()
        if not key.endswith(":"):
            inside = rest[-1] == str(path)
        elif inside and key == "Rss:":
            total += int(rest[0])
    return total


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_released_pages_leave_memory_and_are_the_same_when_read_again(tmp_path: Path):
    path, other = tmp_path / "model", tmp_path / "other"
    content = bytes(range(256)) * (MEGABYTE // 256)
    path.write_bytes(content)
    other.write_bytes(content)
    with path.open("rb") as file, other.open("rb") as untouched:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        beside = mmap.mmap(untouched.fileno(), 0, access=mmap.ACCESS_READ)
        assert mapped[:] == beside[:] == content
        assert resident_kilobytes(path) == resident_kilobytes(other) == 1024
        release_pages(path)
        assert resident_kilobytes(path) == 0
        assert resident_kilobytes(other) == 1024
        assert mapped[:] == content
        mapped.close()
        beside.close()

"""A bundle: a directory with everything needed to detect. Read, write, verify.

bundle.json    the manifest
model.tflite   patches (B, 96, 64) -> scores (B, K), embeddings (B, D)
golden.npz     a waveform and the scores it must give
saved_model/   for TensorFlow and TensorFlow Serving (optional)
card.md        what it was trained on and how well it does
"""

import dataclasses
import hashlib
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from listener.detection import params, policy
from listener.detection.features import FrontEnd, contents_of
from listener.validation import first_problem

FORMAT = 1
# What numpy, zipfile and zlib raise of an .npz file that is torn, damaged or holds something else
ARCHIVE_ERRORS = (OSError, EOFError, BadZipFile, zlib.error, KeyError, TypeError, ValueError)
MANIFEST_FILE = "bundle.json"
MODEL_FILE = "model.tflite"
SAVED_MODEL_DIR = "saved_model"
GOLDEN_FILE = "golden.npz"
CARD_FILE = "card.md"
GOLDEN_TOLERANCE = 1e-3  # other CPUs and engines stay well below; flipped bits do not
MAX_GOLDEN_TOLERANCE = 0.1  # for a model that rounds its activations: its scores change in steps

_DIGEST_LENGTH = 12  # hexadecimal digits of a served model's name
_SLUG = re.compile(r"[a-z0-9_-]{1,64}")

Infer = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""What the front end makes of patches (B, ...) -> scores (B, K), embeddings (B, D)."""


class BundleError(Exception):
    """The bundle cannot be used; one line that says what was expected and what came."""


@dataclass(frozen=True, slots=True)
class Label:
    """One output of the model: the slug of topics and metrics, and the name for people."""

    slug: str
    name: str

    def __post_init__(self) -> None:
        if not _SLUG.fullmatch(self.slug):
            raise ValueError(f"label slug: expected 1 to 64 of [a-z0-9_-], got {self.slug!r}")


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Manifest:
    """`bundle.json`. `files` holds the SHA-256 of every other file, by its path in the bundle."""

    name: str
    version: int
    created: str
    labels: tuple[Label, ...]
    policies: dict[str, policy.LabelPolicy]
    features: params.FeatureParams = dataclasses.field(default_factory=params.FeatureParams)
    activation: Literal["sigmoid", "softmax"] = "sigmoid"
    files: dict[str, str] = dataclasses.field(default_factory=dict)
    provenance: dict[str, Any] = dataclasses.field(default_factory=dict)
    format: int = FORMAT

    def __post_init__(self) -> None:
        if not _SLUG.fullmatch(self.name):
            raise ValueError(f"name: expected 1 to 64 of [a-z0-9_-], got {self.name!r}")
        if datetime.fromisoformat(self.created).tzinfo is None:
            raise ValueError(f"created: expected a time with its zone, got {self.created!r}")
        slugs = [label.slug for label in self.labels]
        if not slugs or len(set(slugs)) != len(slugs):
            raise ValueError("labels: expected at least one, each slug once")
        if set(slugs) != set(self.policies):
            odd = sorted(set(slugs) ^ set(self.policies))
            raise ValueError(f"policies: expected one for each label, they differ in {odd[:5]}")


_DOCUMENT = TypeAdapter(dict[str, Any])
_MANIFEST = TypeAdapter(Manifest)


@dataclasses.dataclass(frozen=True, slots=True)
class Golden:
    """A waveform, float32 (n,) at the model's rate, and its scores, float32 (patches, K).

    `tolerance` is how far an engine's scores may be off.

    Raises:
        ValueError: arrays of another kind, or a tolerance that is not over 0 and in MAX_GOLDEN_TOLERANCE.
    """

    waveform: NDArray[np.float32]
    scores: NDArray[np.float32]
    tolerance: float = GOLDEN_TOLERANCE

    def __post_init__(self) -> None:
        for name, array, dimensions in (("waveform", self.waveform, 1), ("scores", self.scores, 2)):
            if array.dtype != np.float32 or array.ndim != dimensions or not array.size:
                raise ValueError(
                    f"{name}: expected float32 of {dimensions} dimension(s), not empty, "
                    f"got {array.dtype} {array.shape}"
                )
        if not 0 < self.tolerance <= MAX_GOLDEN_TOLERANCE:
            raise ValueError(
                f"tolerance: expected more than 0, at most {MAX_GOLDEN_TOLERANCE}, "
                f"got {self.tolerance:g}"
            )


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle on disk."""

    path: Path
    manifest: Manifest

    @property
    def id(self) -> str:
        """Name and version, `home-alarms@3`."""
        return f"{self.manifest.name}@{self.manifest.version}"

    @property
    def labels(self) -> tuple[str, ...]:
        """The slugs in the order of the scores."""
        return tuple(label.slug for label in self.manifest.labels)

    @property
    def model_path(self) -> Path:
        """The TFLite file."""
        return self.path / MODEL_FILE

    @property
    def saved_model_path(self) -> Path | None:
        """The SavedModel directory; None if there is none that the manifest lists."""
        listed = f"{SAVED_MODEL_DIR}/saved_model.pb" in self.manifest.files
        return self.path / SAVED_MODEL_DIR if listed else None

    def read_golden(self) -> Golden:
        """The golden check's waveform and scores.

        Raises:
            BundleError: the file cannot be read or holds something else.
        """
        file = self.path / GOLDEN_FILE
        try:
            # opened here, because np.load leaves its handle open when the archive is torn
            with file.open("rb") as handle, np.load(handle, allow_pickle=False) as arrays:
                tolerance = float(arrays.get("tolerance", GOLDEN_TOLERANCE))
                return Golden(arrays["waveform"], arrays["scores"], tolerance)
        except ARCHIVE_ERRORS as error:
            raise BundleError(f"{file}: expected arrays waveform and scores: {error}") from error


def read_bundle(path: Path) -> Bundle:
    """The bundle in a directory, its format and every checksum verified.

    Raises:
        BundleError: the directory, the manifest or a file is missing or is not what it should be.
    """
    manifest = _read_manifest(path)
    _verify_files(path, manifest)
    return Bundle(path, manifest)


def _read_manifest(path: Path) -> Manifest:
    file = path / MANIFEST_FILE
    try:
        text = file.read_bytes()
    except OSError as error:
        raise BundleError(
            f"{path}: expected a bundle directory with {MANIFEST_FILE}: {error.strerror}"
        ) from error
    try:
        document = _DOCUMENT.validate_json(text)
        if document.get("format") != FORMAT:  # first: another format may have other fields
            raise BundleError(f"{file}: expected format {FORMAT}, got {document.get('format')!r}")
        return _MANIFEST.validate_python(document)
    except ValidationError as error:
        raise BundleError(f"{file}: {first_problem(error)}") from error


def _verify_files(path: Path, manifest: Manifest) -> None:
    for needed in (MODEL_FILE, GOLDEN_FILE):
        if needed not in manifest.files:
            raise BundleError(f"{path / MANIFEST_FILE}: files: expected {needed}, it is not listed")
    root = path.resolve()
    for name, expected in manifest.files.items():
        file = path / name
        if "\0" in name or not file.resolve().is_relative_to(root):
            raise BundleError(f"{path / MANIFEST_FILE}: files: {name!r} leads out of the bundle")
        if file.exists() and not file.is_file():  # opening a pipe would wait for its writer
            raise BundleError(f"{file}: expected a file, found something else")
        try:
            found = _sha256(file)
        except OSError as error:
            raise BundleError(f"{file}: {error.strerror}, though the manifest lists it") from error
        if found != expected:
            raise BundleError(f"{file}: expected SHA-256 {expected[:12]}..., got {found[:12]}...")


def write_bundle(path: Path, manifest: Manifest, contents: Path) -> Bundle:
    """Make a bundle at `path` of the files in the directory `contents`, whole or not at all.

    `contents` is on the same file system as `path` and is moved there. It replaces a bundle that is
    already at `path`. The manifest's `files` are computed here.

    Raises:
        BundleError: `path` holds something that is not a bundle.
    """
    if path.exists() and not (path / MANIFEST_FILE).is_file():
        raise BundleError(f"{path}: expected a free name or an older bundle, found something else")
    files = {
        file.relative_to(contents).as_posix(): _sha256(file)
        for file in sorted(contents.rglob("*"))
        if file.is_file() and file.name != MANIFEST_FILE
    }
    whole = _MANIFEST.validate_python(_MANIFEST.dump_python(manifest) | {"files": files})
    (contents / MANIFEST_FILE).write_bytes(_MANIFEST.dump_json(whole, indent=1) + b"\n")
    for file in contents.rglob("*"):
        if file.is_file():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
    _move_into_place(contents, path)
    return read_bundle(path)


def _move_into_place(contents: Path, path: Path) -> None:
    if not path.exists():
        shutil.move(contents, path)
        return
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".old-") as old:
        older = Path(old) / "bundle"
        path.rename(older)
        try:
            contents.rename(path)
        except OSError:
            older.rename(path)
            raise


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def check_golden(bundle: Bundle, infer: Infer, front_end: FrontEnd | None = None) -> float:
    """The largest difference between the golden scores and what `infer` gives for the waveform.

    `front_end` makes what `infer` takes; None means log-mel patches.

    Raises:
        BundleError: it is over the golden file's tolerance, not a number, or of another shape.
    """
    golden = bundle.read_golden()
    contents = contents_of(golden.waveform, bundle.manifest.features, front_end)
    scores, _ = infer(np.stack(contents))
    expected = (len(contents), len(bundle.labels))
    if scores.shape != expected or golden.scores.shape != expected:
        raise BundleError(
            f"{bundle.path}: golden check: expected scores {expected}, "
            f"the file has {golden.scores.shape}, the engine gave {scores.shape}"
        )
    difference = float(np.abs(scores - golden.scores).max())
    if not difference <= golden.tolerance:
        raise BundleError(
            f"{bundle.path}: golden check: expected scores within {golden.tolerance:g}, "
            f"they differ by {difference:.2g}"
        )
    return difference


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model's name and version on a model server (Open Inference Protocol); no two models share both."""

    name: str
    version: str  # a whole number, as the folders of a model repository are named

    def __str__(self) -> str:
        return f"{self.name} version {self.version}"


def served_model(bundle: Bundle) -> ServedModel:
    """`home-alarms-3f2a9c1b0d4e` version 3, of home-alarms@3 and its model.tflite's SHA-256."""
    manifest = bundle.manifest
    digest = manifest.files[MODEL_FILE][:_DIGEST_LENGTH]
    return ServedModel(f"{manifest.name}-{digest}", str(manifest.version))

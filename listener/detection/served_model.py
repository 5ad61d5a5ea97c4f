"""What a bundle's model is called on a model server: another model has another name or version."""

from __future__ import annotations

from dataclasses import dataclass

from listener.detection.bundle import MODEL_FILE, Bundle

_DIGEST_LENGTH = 12  # of hexadecimal digits


@dataclass(frozen=True, slots=True)
class ServedModel:
    """Name and version as the Open Inference Protocol and model repositories have them."""

    name: str
    version: str  # a whole number, as the folders of a model repository are called

    def __str__(self) -> str:
        return f"{self.name} version {self.version}"


def served_model(bundle: Bundle) -> ServedModel:
    """`home-alarms-3f2a9c1b0d4e` version 3, of home-alarms@3 and its model.tflite's SHA-256."""
    manifest = bundle.manifest
    digest = manifest.files[MODEL_FILE][:_DIGEST_LENGTH]
    return ServedModel(f"{manifest.name}-{digest}", str(manifest.version))

"""A TFLite model with the metadata without which MediaPipe's AudioClassifier refuses it.

MediaPipe's own writer cannot be imported from its wheel (1.2.2: it asks for mediapipe.tasks.cc, which is
not in it), so this writes with the schema's generated classes. Labels have no names here: MediaPipe tells
of a label without one by its number.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from mediapipe.tasks.metadata import metadata_schema_py_generated as metadata_schema
from mediapipe.tasks.metadata import schema_py_generated as model_schema

_NAME = "TFLITE_METADATA"
_METADATA_IDENTIFIER, _MODEL_IDENTIFIER = b"M001", b"TFL3"


def with_metadata(source: Path, target: Path, sample_rate_hz: int) -> Path:
    """Copy a model from waveforms to scores, saying that it hears mono at that rate; gives `target`."""
    model = model_schema.ModelT.InitFromObj(
        model_schema.Model.GetRootAs(bytearray(source.read_bytes()), 0)
    )
    buffer = model_schema.BufferT()
    buffer.data = np.frombuffer(_metadata(sample_rate_hz), np.uint8)
    model.buffers.append(buffer)
    entry = model_schema.MetadataT()
    entry.name, entry.buffer = _NAME, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    target.write_bytes(_pack(model, _MODEL_IDENTIFIER))
    return target


def _metadata(sample_rate_hz: int) -> bytes:
    properties = metadata_schema.AudioPropertiesT()
    properties.sampleRate, properties.channels = sample_rate_hz, 1
    graph = metadata_schema.SubGraphMetadataT()
    graph.inputTensorMetadata = [_tensor("waveform", properties, "AudioProperties")]
    scores = metadata_schema.FeaturePropertiesT()
    graph.outputTensorMetadata = [_tensor("scores", scores, "FeatureProperties")]
    metadata = metadata_schema.ModelMetadataT()
    metadata.subgraphMetadata = [graph]
    return _pack(metadata, _METADATA_IDENTIFIER)


def _tensor(name: str, properties: Any, kind: str) -> Any:
    content = metadata_schema.ContentT()
    content.contentProperties = properties
    content.contentPropertiesType = getattr(metadata_schema.ContentProperties, kind)
    tensor = metadata_schema.TensorMetadataT()
    tensor.name, tensor.content = name, content
    return tensor


def _pack(table: Any, identifier: bytes) -> bytes:
    builder = flatbuffers.Builder(0)
    builder.Finish(table.Pack(builder), identifier)
    return bytes(builder.Output())

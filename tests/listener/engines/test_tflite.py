"""The signature of a bundle's model says which tensor is which; test_litert.py tests what is refused."""

from __future__ import annotations

from listener.detection.bundle import Bundle
from listener.engines.tflite import open_model, read_signature


def test_the_tensors_are_those_of_the_graph(tones_bundle: Bundle):
    interpreter = open_model(tones_bundle.model_path)
    found = read_signature(tones_bundle.model_path, interpreter)
    details = interpreter.get_input_details() + interpreter.get_output_details()
    widths = {tensor["name"]: tensor["shape_signature"].tolist() for tensor in details}
    indices = {tensor["name"]: tensor["index"] for tensor in details}
    assert widths[found.patches.name] == [-1, 96, 64]
    assert widths[found.scores.name] == [-1, 3]
    assert widths[found.embeddings.name] == [-1, 64]
    for tensor in (found.patches, found.scores, found.embeddings):
        assert tensor.index == indices[tensor.name]

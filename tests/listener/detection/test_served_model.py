"""Another bundle, and another model under the same name and version, is another served model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from listener.detection.bundle import Bundle
from listener.detection.served_model import ServedModel, served_model
from tests.listener.sinks.notices import manifest


def test_name_version_and_model_make_it():
    files = {"model.tflite": "0123456789abcdef" * 4, "golden.npz": "f" * 64}
    made = replace(manifest(), name="home-alarms", version=3, files=files)
    assert served_model(Bundle(Path("none"), made)) == ServedModel("home-alarms-0123456789ab", "3")
    assert str(served_model(Bundle(Path("none"), made))) == "home-alarms-0123456789ab version 3"

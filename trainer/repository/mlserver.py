"""The part of a model repository that MLServer reads: settings, and the runtime that computes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from listener.detection.bundle import MODEL_FILE, ServedModel

RUNTIME = Path(__file__).with_name("earshot_mlserver.py")
_RUNTIME_CLASS = "EarshotModel"
SERVER_SETTINGS_FILE = "settings.json"
_MODEL_SETTINGS_FILE = "model-settings.json"


def write_model_settings(version: Path, model: ServedModel, bundle_id: str) -> None:
    """Into the folder of a version, beside the model: what it is called, and the runtime."""
    settings = {
        "name": model.name,
        "implementation": f"{RUNTIME.stem}.{_RUNTIME_CLASS}",
        "platform": bundle_id,
        "versions": [model.version],
        "parameters": {"uri": f"./{MODEL_FILE}", "version": model.version},
    }
    _write_json(version / _MODEL_SETTINGS_FILE, settings)
    (version / RUNTIME.name).write_bytes(RUNTIME.read_bytes())


def write_server_settings(repository: Path) -> None:
    """At the top of the repository, for the people who run it to change; one that is there stays."""
    file = repository / SERVER_SETTINGS_FILE
    if not file.exists():
        # the runtime has threads of its own; with worker processes each tensor would be copied twice
        _write_json(file, {"parallel_workers": 0, "debug": False})


def _write_json(file: Path, document: Mapping[str, object]) -> None:
    file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")

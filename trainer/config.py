"""Choices and defaults of the command line. Imports no TensorFlow: `--help` needs them."""

import os
from pathlib import Path
from typing import Literal

Storage = Literal["float32", "float16"]  # how model.tflite stores its weights
Form = Literal["float32", "float16", "dynamic", "int8"]  # what `trainer shrink` tries
WantedForm = Literal["float16", "dynamic", "int8", "best"]
LabelsOfAClip = Literal["one", "many"]
Objective = Literal["f1", "recall"]  # what a policy maximises within its budget
Sampler = Literal["tpe", "random", "grid"]

YAMNET_HANDLE = "https://tfhub.dev/google/yamnet/1"

# XDG Base Directory Specification
_USER_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
EMBEDDING_CACHE = _USER_CACHE / "earshot" / "embeddings"
SEARCHES = _USER_CACHE / "earshot" / "searches"

"""What a user may choose. No import of TensorFlow here: the commands' `--help` needs these."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

Storage = Literal["float32", "float16"]  # how model.tflite keeps its weights
LabelsOfAClip = Literal["one", "many"]

YAMNET_HANDLE = "https://tfhub.dev/google/yamnet/1"

# XDG Base Directory Specification
_USER_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
EMBEDDING_CACHE = _USER_CACHE / "earshot" / "embeddings"

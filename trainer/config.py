"""What a user may choose. No import of TensorFlow here: the commands' `--help` needs these."""

from __future__ import annotations

from typing import Literal

Storage = Literal["float32", "float16"]  # how model.tflite keeps its weights

YAMNET_HANDLE = "https://tfhub.dev/google/yamnet/1"

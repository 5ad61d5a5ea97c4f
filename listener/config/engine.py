"""The settings of the engine: what computes scores, and how patches are gathered for it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from listener.config.remote import RemoteSettings
from listener.config.settings import Seconds, Settings

EngineKind = Literal["litert", "openvino", "tensorflow"]  # what `auto` may choose
FrontEndPlace = Literal["auto", "cpu", "device"]


class EngineSettings(Settings):
    """What computes scores, and how patches are gathered for it."""

    kind: Literal["litert", "openvino", "tensorflow", "remote", "auto"] = "litert"
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    front_end: FrontEndPlace = (
        "auto"  # where the log-mel is made; auto: on a GPU, if TensorFlow has one
    )
    max_batch: Annotated[int, Field(ge=1, le=4096)] = 48
    max_wait_ms: Annotated[float, Field(ge=0, le=1000)] = 40.0
    queue_seconds: Seconds = 15.0  # so far behind, a source loses the older half of its patches
    remote: RemoteSettings = RemoteSettings()

    @model_validator(mode="after")
    def _check_front_end(self) -> EngineSettings:
        if self.front_end == "device" and self.kind != "tensorflow":
            raise ValueError(f'front_end: expected kind "tensorflow" for "device", got {self.kind}')
        return self

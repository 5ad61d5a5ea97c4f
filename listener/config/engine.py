"""The settings of detection and of the engine, local or remote."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from listener.config.settings import Duration, Seconds, Settings, Threshold, split_url

# A batch may wait this long for all servers in turn: a stage without progress for 10 s counts as hung.
LONGEST_SECONDS = 8.0

EngineKind = Literal["litert", "openvino", "tensorflow"]  # what `auto` may choose
FrontEndPlace = Literal["auto", "cpu", "device"]


class PolicySettings(Settings):
    """Replaces single values of the bundle's LabelPolicy."""

    on_threshold: Threshold | None = None
    off_threshold: Threshold | None = None
    smoothing_seconds: Duration | None = None
    min_duration_seconds: Duration | None = None
    max_gap_seconds: Duration | None = None
    refractory_seconds: Duration | None = None


class DetectionSettings(Settings):
    """Which labels make events, and how."""

    labels: tuple[str, ...] = ()  # slugs, beside groups; empty: groups, or all of the bundle
    patch_hop_seconds: Seconds | None = None  # None: the bundle's
    default_policy: PolicySettings = PolicySettings()
    policies: dict[str, PolicySettings] = Field(default_factory=dict)


def _check_url(url: str) -> str:
    expected = "expected grpc://, grpcs://, http:// or https://, a host, a port and no more"
    parts = split_url(url, ("grpc", "grpcs", "http", "https"), expected)
    if parts.port is None or parts.path.rstrip("/") or parts.query or parts.fragment:
        raise ValueError(expected)
    return url.rstrip("/")


ServerUrl = Annotated[str, AfterValidator(_check_url)]


class RemoteSettings(Settings):
    """Servers that compute scores by the Open Inference Protocol; with `engine.kind = "remote"`."""

    urls: Annotated[tuple[ServerUrl, ...], Field(max_length=16)] = ()
    ca_file: Path | None = None  # None: grpcs:// and https:// trust the system's authorities
    timeout_seconds: Annotated[float, Field(gt=0, le=LONGEST_SECONDS)] = 1.0
    retries: Annotated[int, Field(ge=0, le=5)] = 1
    retry_seconds: Seconds = 2.0
    retry_limit_seconds: Seconds = 30.0
    in_flight: Annotated[int, Field(ge=1, le=16)] = 4
    fallback: Literal["litert", "openvino", "tensorflow", "none"] = "litert"

    @model_validator(mode="after")
    def _check_urls(self) -> RemoteSettings:
        if len(set(self.urls)) < len(self.urls):
            raise ValueError("urls: expected each server once")
        seconds = len(self.urls) * self.timeout_seconds
        if seconds > LONGEST_SECONDS:
            raise ValueError(
                f"timeout_seconds: expected at most {LONGEST_SECONDS:g} s over all servers, "
                f"got {len(self.urls)} x {self.timeout_seconds:g} s"
            )
        return self


class EngineSettings(Settings):
    """What computes the scores, and how patches are batched for it."""

    kind: Literal["litert", "openvino", "tensorflow", "remote", "auto"] = "litert"
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    front_end: FrontEndPlace = "auto"  # where the log-mel is computed; auto: on TensorFlow's GPU
    max_batch: Annotated[int, Field(ge=1, le=4096)] = 48
    max_wait_ms: Annotated[float, Field(ge=0, le=1000)] = 40.0
    queue_seconds: Seconds = 15.0  # a source further behind drops the older half of its patches
    remote: RemoteSettings = RemoteSettings()

    @model_validator(mode="after")
    def _check_front_end(self) -> EngineSettings:
        if self.front_end == "device" and self.kind != "tensorflow":
            raise ValueError(f'front_end: expected kind "tensorflow" for "device", got {self.kind}')
        return self

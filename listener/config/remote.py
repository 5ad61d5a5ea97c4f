"""The settings of the engine that sends patches to model servers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from listener.config.settings import Seconds, Settings

# A batch may wait this long for all servers one after the other: a stage that does not move for ten
# seconds counts as hung.
LONGEST_SECONDS = 8.0
_SCHEMES = ("grpc", "grpcs", "http", "https")


def _check_url(url: str) -> str:
    expected = "expected grpc://, grpcs://, http:// or https://, a host, a port and no more"
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(expected)
    parts = urlsplit(url)
    rest = (parts.path.rstrip("/"), parts.query, parts.fragment)
    if (
        parts.scheme not in _SCHEMES
        or not parts.hostname
        or parts.username is not None
        or any(rest)
    ):
        raise ValueError(expected)
    if parts.port is None:  # a ValueError, unless it is a number from 0 to 65535
        raise ValueError(expected)
    return url.rstrip("/")


ServerUrl = Annotated[str, AfterValidator(_check_url)]


class RemoteSettings(Settings):
    """Servers that compute scores by the Open Inference Protocol; with `engine.kind = "remote"`."""

    urls: Annotated[tuple[ServerUrl, ...], Field(max_length=16)] = ()
    ca_file: Path | None = None  # None: grpcs:// and https:// trust the usual authorities
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

"""The settings of sources, and when a source counts as silent, clipping or lost."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from listener.config.settings import Seconds, Settings, Slug
from listener.detection.audio import HIGHEST_RATE_HZ, LOWEST_RATE_HZ, MAX_CHANNELS


class _SourceSettings(Settings):
    name: Slug


class MicrophoneSettings(_SourceSettings):
    """A capture device of PortAudio, by the stable name that `listener devices` prints."""

    kind: Literal["microphone"]
    device: str | None = None  # None: the system's default input


class FileSettings(_SourceSettings):
    """An audio file, played in real time or as fast as it can be analysed."""

    kind: Literal["file"]
    path: Path
    pace: Literal["realtime", "fast"] = "realtime"
    at_end: Literal["stop", "restart"] = "stop"


class StdinSettings(_SourceSettings):
    """Standard input: raw signed 16-bit little-endian PCM, or WAV, whose header says its format."""

    kind: Literal["stdin"]
    format: Literal["s16le", "wav"] = "s16le"
    sample_rate_hz: Annotated[int, Field(ge=LOWEST_RATE_HZ, le=HIGHEST_RATE_HZ)] = 16_000
    channels: Annotated[int, Field(ge=1, le=MAX_CHANNELS)] = 1


class StreamSettings(_SourceSettings):
    """Anything that FFmpeg opens: HTTP, RTSP, a file in any codec."""

    kind: Literal["stream"]
    url: str
    open_timeout_seconds: Seconds = 10.0
    read_timeout_seconds: Seconds = 5.0
    rtsp_transport: Literal["tcp", "udp"] = "tcp"
    at_end: Literal["stop", "restart"] = "restart"


SourceSettings = Annotated[
    MicrophoneSettings | FileSettings | StdinSettings | StreamSettings,
    Field(discriminator="kind"),
]


class BackoffSettings(Settings):
    """The wait before a lost source is opened again: doubled after each failure, with jitter."""

    first_seconds: Seconds = 0.5
    limit_seconds: Seconds = 30.0


class ConditionSettings(Settings):
    """When a source that delivers audio counts as silent or as clipping."""

    silent_below_dbfs: Annotated[float, Field(ge=-120, le=0)] = -90.0  # -120: never
    silent_after_seconds: Seconds = 30.0
    clipping_share: Annotated[float, Field(gt=0, le=1)] = 0.01  # of samples at full scale
    clipping_after_seconds: Seconds = 5.0

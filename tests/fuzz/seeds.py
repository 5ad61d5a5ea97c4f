"""Good inputs of each target, from which the bad ones are made."""

from __future__ import annotations

import io
import json
from functools import cache
from typing import Any

import av
import numpy as np
import soundfile

from listener.detection.bundle import Manifest
from listener.detection.clip import analysis_bytes
from listener.detection.clip_files import record_bytes
from listener.detection.policy import LabelPolicy
from tests.fuzz.targets import TOKEN
from tests.listener.clips.drafts import make_draft, right
from tests.rigs.commander import command
from tests.shared import ROOT

RATE_HZ = 16_000

# Container and codec: what cameras, radios and people's folders hold, and what PyAV cannot convert itself
MEDIA = (
    ("wav", "pcm_s16le"), ("wav", "pcm_s24le"), ("wav", "pcm_s64le"), ("w64", "pcm_f64le"),
    ("flac", "flac"), ("ogg", "libopus"), ("mp3", "libmp3lame"), ("mp4", "aac"), ("mpegts", "aac"),
    ("matroska", "libopus"), ("caf", "alac"), ("mp4", "aac", "7.1"),
)  # fmt: skip


def documents() -> dict[str, dict[str, Any]]:
    """Of the targets that read JSON."""
    with_verdict = json.loads(record_bytes(make_draft(verdicts=(right(),)).record))
    return {"sidecar": with_verdict, "manifest": _manifest(), "rules": _rules()}


def _manifest() -> dict[str, Any]:
    from pydantic import TypeAdapter  # noqa: PLC0415

    from listener.detection.bundle import Label  # noqa: PLC0415

    policy = LabelPolicy(on_threshold=0.5, off_threshold=0.3, smoothing_seconds=1.44)
    whole = Manifest(
        "test", 1, "2026-01-01T00:00:00+00:00", (Label("dog", "Dog"),), {"dog": policy},
        files={"model.tflite": "0" * 64, "golden.npz": "0" * 64},
    )  # fmt: skip
    found: dict[str, Any] = TypeAdapter(Manifest).dump_python(whole, mode="json")
    return found


def _rules() -> dict[str, Any]:
    return {
        "thresholds": [{"source": None, "label": "dog", "on": 0.5, "off": 0.3}],
        "mutes": [{"source": "hall", "label": "dog", "until": 1e9}],
    }


@cache
def seeds(target: str) -> tuple[bytes, ...]:
    """Good inputs of a target."""
    if target in documents():
        return (json.dumps(documents()[target]).encode(),)
    return {
        "config": _configs,
        "mqtt_command": _messages,
        "http_request": _requests,
        "analysis": _analyses,
        "clip_audio": lambda: (_audio("FLAC"),),
        "audio_file": lambda: tuple(_audio(form) for form in ("WAV", "FLAC", "OGG", "MP3", "AIFF")),
        "media_file": lambda: tuple(encode(*form) for form in MEDIA),
        "wav_stream": lambda: (_audio("WAV"), _audio("WAV", "FLOAT"), _audio("WAVEX", "PCM_24")),
    }[target]()


def _configs() -> tuple[bytes, ...]:
    least = b'bundle = "b"\n[[sources]]\nname = "a"\nkind = "file"\npath = "x.wav"\n'
    return (ROOT / "config.example.toml").read_bytes(), least


def _messages() -> tuple[bytes, ...]:
    orders = {
        "mute": command(label="dog", seconds=9),
        "flag": command(clip="01JD9Z6T3W8Q5V1N2M4K7B0C9E", verdict="labels", labels=[{"label": "a"}]),
        "threshold": command(label="dog", on=0.5, off=0.3),
        "snapshot": command(source="hall", seconds=2),
    }  # fmt: skip
    return tuple(
        f"{name}\nearshot/test/answer/me\n{json.dumps(order)}".encode()
        for name, order in orders.items()
    )


def _requests() -> tuple[bytes, ...]:
    body = json.dumps(command()).encode()
    post = (
        b"POST /command/reload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + TOKEN + b"\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    return (
        b"GET /metrics HTTP/1.1\r\nAccept: text/plain\r\n\r\n",
        b"GET /readyz HTTP/1.0\r\n\r\n",
        post + body,
    )


def _analyses() -> tuple[bytes, ...]:
    plain = analysis_bytes(make_draft().analysis)
    packed = io.BytesIO()
    arrays = make_draft().analysis
    np.savez_compressed(
        packed,
        labels=np.array(arrays.labels, np.str_),
        boundaries=arrays.boundaries,
        scores=arrays.scores,
        embeddings=arrays.embeddings,
    )
    return plain, packed.getvalue()


def _audio(form: str, subtype: str | None = None) -> bytes:
    content = io.BytesIO()
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(400) / RATE_HZ)
    soundfile.write(content, tone, RATE_HZ, format=form, subtype=subtype)
    return content.getvalue()


def encode(
    container: str, codec: str, layout: str = "mono", seconds: float = 0.2, hz: float = 440.0
) -> bytes:
    """A tone with a title, encoded by FFmpeg."""
    content = io.BytesIO()
    rate_hz = 48_000 if codec == "libopus" else RATE_HZ
    tone = 16_000.0 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)
    frame = av.AudioFrame.from_ndarray(tone[None].astype(np.int16), format="s16", layout="mono")
    frame.sample_rate = rate_hz
    with av.open(content, "w", format=container) as file:
        file.metadata["title"] = "K\u00fcche"
        track = file.add_stream(codec, rate=rate_hz, layout=layout)
        coder = track.codec_context
        convert = av.AudioResampler(coder.format, layout, rate_hz, coder.frame_size or 0)
        for part in (*convert.resample(frame), *convert.resample(None), None):
            file.mux(track.encode(part))
    return content.getvalue()

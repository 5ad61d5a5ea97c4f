"""What takes input from outside, as functions of bytes: they return, or something is wrong.

Each catches the errors that are documented, and those alone.
"""

from __future__ import annotations

import logging
import os
import socket
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry

from listener.clips.layout import audio_path
from listener.clips.store import ClipStore
from listener.config.load import load_config
from listener.config.sources import FileSettings, StdinSettings, StreamSettings
from listener.config.station import ClipsSettings, ConfigError, HttpSettings
from listener.control.commands import Command
from listener.control.dispatcher import Answer, CommandDispatcher
from listener.control.http_commands import HttpCommands
from listener.control.http_server import HttpServer
from listener.control.mqtt import MqttCommands
from listener.detection.audio import AudioChunk, ChunkResampler, zero_nonfinite
from listener.detection.bundle import MANIFEST_FILE, BundleError, read_bundle
from listener.detection.clip import ClipError, ClipRecord, read_analysis
from listener.detection.clip_files import read_audio, sidecar_path, write_clip
from listener.health import Health
from listener.mqtt.messages import InboundMessage
from listener.mqtt.topics import Topics
from listener.runtime.overrides import Overrides
from listener.sources.file import FileSource
from listener.sources.source import AudioSource, SourceError
from listener.sources.stdin import StdinSource
from listener.sources.stream import StreamSource
from tests.fuzz.bench import only_inside
from tests.listener.clips.drafts import LABELS, make_draft

TOKEN = b"a-token-of-the-fuzzer"

_READS = 40  # of half a second each; a file that says it is longer is not read to its end
_MODEL_RATE_HZ = 16_000
_LONGEST_ANSWER = 64 * 1024

Target = Callable[[bytes, Path], None]


def config(content: bytes, folder: Path) -> None:
    """The config's TOML."""
    (folder / "config.toml").write_bytes(content)
    with suppress(ConfigError):
        load_config(folder / "config.toml")


def manifest(content: bytes, folder: Path) -> None:
    """A bundle's manifest, beside files that are not what it says."""
    for name in ("model.tflite", "golden.npz"):
        (folder / name).write_bytes(b"x")
    (folder / MANIFEST_FILE).write_bytes(content)
    with suppress(BundleError):
        read_bundle(folder)


class _Nobody:
    """A handler that does nothing."""

    def handle(self, command: Command, origin: str) -> Answer:
        """Nothing."""
        return {"id": command.id, "origin": origin}


@dataclass(frozen=True, slots=True)
class _Wire:
    """The broker's side of commands."""

    answers: list[tuple[str, bytes]]

    def subscribe(self, topic: str, take: Callable[[InboundMessage], None]) -> None:
        """Nothing comes by itself."""

    def answer(self, topic: str, payload: bytes, correlation: bytes | None) -> None:  # noqa: ARG002
        """Keep it."""
        self.answers.append((topic, payload))


def mqtt_command(content: bytes, folder: Path) -> None:  # noqa: ARG001
    """A message: its topic's end, a line; its response topic, a line; its payload."""
    name, _, rest = content.partition(b"\n")
    response, _, payload = rest.partition(b"\n")
    topics, answers = Topics("earshot", "test"), list[tuple[str, bytes]]()
    dispatcher = CommandDispatcher(_Nobody(), Health((), "test@1"))
    commands = MqttCommands(_Wire(answers), topics, dispatcher)
    topic = f"{topics.root}/command/{name.decode('utf-8', 'replace')}"
    asked = response.decode("utf-8", "replace") or None
    commands.receive(InboundMessage(topic, payload, False, asked, None))
    dispatcher.tick()
    ((where, _),) = answers
    if not where.startswith((topics.answers, f"{topics.root}/command/")) or set(where) & set(
        "+#\0"
    ):
        raise RuntimeError(f"answered on {where!r}")


class _Server:
    """The station's HTTP server with commands, one for all inputs; what it does not expect is kept."""

    def __init__(self) -> None:
        health = Health((), "test@1")
        self._dispatcher = CommandDispatcher(_Nobody(), health)
        self._server = HttpServer(HttpSettings(port=0), health, CollectorRegistry())
        self._server.serve_commands(HttpCommands(self._dispatcher, TOKEN))
        self._server.start()
        self.faults = _Faults()
        logging.getLogger("listener.control.http_server").addHandler(self.faults)
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        tick = threading.Event()
        while not tick.wait(0.001):
            self._dispatcher.tick()

    def ask(self, content: bytes) -> bytes:
        """Its answer to a whole request."""
        with socket.create_connection(("127.0.0.1", self._server.port), timeout=30) as wire:
            answer = b""
            with suppress(ConnectionError, TimeoutError):  # cut off while we speak
                wire.sendall(content)
                wire.shutdown(socket.SHUT_WR)
                while received := wire.recv(65_536):
                    answer += received
        return answer


class _Faults(logging.Handler):
    """Keeps what was logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.found.append(f"{record.getMessage()} {record.exc_info}")


_servers: list[_Server] = []


def http_request(content: bytes, folder: Path) -> None:  # noqa: ARG001
    """A request to the metrics port."""
    if not _servers:
        _servers.append(_Server())
    answer = _servers[0].ask(content)
    if _servers[0].faults.found:
        raise RuntimeError(_servers[0].faults.found.pop())
    if len(answer) > _LONGEST_ANSWER:
        raise RuntimeError(f"answered with {len(answer)} bytes")


def _stored(folder: Path) -> tuple[ClipsSettings, ClipRecord]:
    """The files of a clip, its index not yet made."""
    settings, cutting = ClipsSettings(enabled=True, directory=folder / "clips"), make_draft()
    path = audio_path(settings.directory, cutting.record.id)
    record = replace(cutting.record, path=path)
    path.parent.mkdir(parents=True)
    write_clip(record, cutting.samples, cutting.sample_rate_hz, cutting.analysis)
    return settings, record


def _is_opened(settings: ClipsSettings, record: ClipRecord) -> None:
    """The store opens, whatever the clip's files hold; the clip is answered for, or put aside."""
    with closing(ClipStore(settings, LABELS)) as store:
        for found in (*store.find(), *store.review_queue()):
            store.analysis(found.id)
        with suppress(ClipError):
            store.similar(record.id)


def sidecar(content: bytes, folder: Path) -> None:
    """A clip's sidecar, as the store finds it at its start."""
    settings, record = _stored(folder)
    sidecar_path(record.path).write_bytes(content)
    _is_opened(settings, record)


def analysis(content: bytes, folder: Path) -> None:
    """A clip's scores and embeddings; read alone, then by a store that opens."""
    (folder / "x.npz").write_bytes(content)
    with suppress(ClipError):
        read_analysis(folder / "x.npz")
    settings, record = _stored(folder)
    record.path.with_suffix(".npz").write_bytes(content)
    _is_opened(settings, record)


def clip_audio(content: bytes, folder: Path) -> None:
    """A clip's FLAC."""
    record = replace(make_draft().record, path=folder / "x.flac")
    record.path.write_bytes(content)
    with suppress(ClipError):
        read_audio(record)


def rules(content: bytes, folder: Path) -> None:
    """The state file, which is put aside where it is none."""
    (folder / "state.json").write_bytes(content)
    Overrides.read(folder / "state.json")


def audio_file(content: bytes, folder: Path) -> None:
    """A file as a source."""
    (folder / "x.wav").write_bytes(content)
    settings = FileSettings(name="hall", kind="file", path=folder / "x.wav", pace="fast")
    with suppress(SourceError), closing(FileSource(settings)) as source:
        _hear(source)


def media_file(content: bytes, folder: Path) -> None:
    """A file that FFmpeg decodes, as a stream source."""
    (folder / "x").write_bytes(content)
    settings = StreamSettings(name="hall", kind="stream", url=str(folder / "x"), at_end="stop")
    with suppress(SourceError), closing(StreamSource(settings)) as source:
        _hear(source)


def wav_stream(content: bytes, folder: Path) -> None:  # noqa: ARG001
    """A WAV on standard input."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stream:
        with os.fdopen(writer, "wb", buffering=0) as sender:
            os.set_blocking(writer, False)
            with suppress(BlockingIOError):
                sender.write(content)
        settings = StdinSettings(name="pipe", kind="stdin", format="wav")
        with suppress(SourceError), closing(StdinSource(settings, stream)) as source:
            _hear(source)


def _hear(source: AudioSource) -> None:
    """As the capture thread does: zero what is no number, resample."""
    resampler = ChunkResampler(_MODEL_RATE_HZ)
    for _ in range(_READS):
        chunk: AudioChunk | None = source.read(0.5)
        if chunk is None:
            break
        samples, _ = zero_nonfinite(chunk.samples)
        heard = resampler.push(replace(chunk, samples=samples)).samples
        if not np.isfinite(heard).all():
            raise RuntimeError("samples that are no numbers")


TARGETS: dict[str, Target] = {
    "config": config,
    "manifest": manifest,
    "mqtt_command": mqtt_command,
    "http_request": http_request,
    "sidecar": sidecar,
    "analysis": analysis,
    "clip_audio": clip_audio,
    "rules": rules,
    "audio_file": audio_file,
    "media_file": media_file,
    "wav_stream": wav_stream,
}


def run_target(name: str, content: bytes, scratch: Path | None = None) -> None:
    """One input to one target, in a folder of its own under `scratch`."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder, only_inside(Path(folder)):
        TARGETS[name](content, Path(folder))

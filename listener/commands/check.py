"""`listener check`: every part of a station's config, tested for real; no event is sent."""

import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from listener.adapters import choose_engine, open_source
from listener.config import engine, sources
from listener.config.station import Config, ConfigError, HttpSettings, ReviewSettings
from listener.detection.audio import AudioChunk, ChunkResampler, LevelMeter
from listener.detection.bandwidth import BandwidthMeter, describe_bandwidth
from listener.detection.bundle import Bundle, BundleError, read_bundle
from listener.detection.features import PatchStream
from listener.detection.params import FeatureParams
from listener.engines.engine import EngineError, infer_of, silent_batch
from listener.engines.remote.channel import ServerError
from listener.engines.remote.server import Server, open_channel, read_golden_check
from listener.mqtt import client, round_trip
from listener.planning import plan_station
from listener.process import ExitCode
from listener.sinks.webhook import Receiver, WebhookError
from listener.sources.source import AudioSource, SourceError

_LISTEN_SECONDS = 1.2  # a patch and a resampler's delay
_SUSPECT_SECONDS = 4.0  # of a source that may be band-limited: a hiss would show that it is not
_SUSPECT_PATCHES = 5  # of those seconds, until it counts as such
_FIRST_SAMPLE_SECONDS = 5.0
_ROUND_TRIP_SECONDS = 5.0
_LEAST_FREE_BYTES = 200e6


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of testing one part."""

    part: str
    works: bool
    detail: str


def check_station(config: Config) -> ExitCode:
    """Print a table of findings; FAILED if any part does not work."""
    findings = list(_findings(config))
    table = Table("part", "works", "detail")
    for finding in findings:
        works = "[green]yes[/]" if finding.works else "[red]no[/]"
        table.add_row(finding.part, works, escape(finding.detail))
    Console(soft_wrap=True).print(table)
    return ExitCode.DONE if all(finding.works for finding in findings) else ExitCode.FAILED


def _findings(config: Config) -> Iterator[Finding]:
    yield Finding("config", works=True, detail=f"station {config.station}")
    bundle = None
    try:
        bundle = read_bundle(config.bundle)
        yield _check_bundle(bundle, config)
        yield from check_servers(bundle, config.engine)
    except (BundleError, ConfigError, EngineError) as error:
        yield Finding("bundle", works=False, detail=str(error))
    for source in config.sources:
        yield _check_source(source)
    if config.mqtt is not None:
        part = f"broker {config.mqtt.host}:{config.mqtt.port}"
        try:
            milliseconds = round_trip.check_round_trip(
                config.mqtt, config.station, _ROUND_TRIP_SECONDS
            )
        except client.BrokerError as error:
            yield Finding(part, works=False, detail=str(error))
        else:
            yield Finding(part, works=True, detail=f"there and back in {milliseconds:.1f} ms")
    yield from check_outputs(config)
    if config.http.enabled:
        yield _check_address("http", config.http)
    if config.review.enabled:
        yield _check_review(config.review)
    directory = Path.cwd()
    free = shutil.disk_usage(directory).free
    detail = f"{free / 1e9:.1f} GB free at {directory}"
    yield Finding("disk", works=free >= _LEAST_FREE_BYTES, detail=detail)
    yield _check_clock(bundle)


def _check_bundle(bundle: Bundle, config: Config) -> Finding:
    choice = choose_engine(bundle, config.engine)  # with the golden check
    plan = plan_station(bundle, config)
    infer, silence = infer_of(choice.engine), silent_batch(choice.engine, plan.params, 1)
    began = time.perf_counter()
    infer(silence)
    milliseconds = (time.perf_counter() - began) * 1000
    groups = f" and {len(plan.groups)} group(s)" if plan.groups else ""
    labels = f"{len(plan.policies) - len(plan.groups)} of {len(bundle.labels)} labels{groups}"
    speed = f"{choice.kind} {milliseconds:.1f} ms a patch"
    detail = f"{bundle.id}, {labels}, golden check passed, {speed}"
    return Finding("bundle", works=True, detail=detail)


def check_servers(bundle: Bundle, settings: engine.EngineSettings) -> Iterator[Finding]:
    """A finding for each model server of the remote engine: whether it gives the golden scores."""
    if settings.kind != "remote":
        return
    golden, remote = read_golden_check(bundle), settings.remote
    for url in remote.urls:
        part = f"server {url}"
        try:
            server = Server(open_channel(url, golden.model, remote), golden, remote)
            began = time.perf_counter()
            server.infer(golden.patches[:1])
        except (ServerError, EngineError) as error:
            yield Finding(part, works=False, detail=f"{golden.model}: {error}")
        else:
            milliseconds = (time.perf_counter() - began) * 1000
            detail = f"{golden.model}, golden check passed, {milliseconds:.1f} ms a patch"
            yield Finding(part, works=True, detail=detail)


def _check_source(settings: sources.SourceSettings) -> Finding:
    part = f"source {settings.name}"
    try:
        with closing(open_source(settings)) as source:
            detail = _listen(source)
    except SourceError as error:
        return Finding(part, works=False, detail=str(error))
    return Finding(part, works=detail is not None, detail=detail or "got no samples")


def _listen(source: AudioSource) -> str | None:
    """Rate, levels and bandwidth of a second of audio, or of some more; None if there is none."""
    meter, bandwidth, seconds, rate = LevelMeter(), _Bandwidth(), 0.0, 0
    give_up_at = time.monotonic() + _FIRST_SAMPLE_SECONDS
    wanted = _LISTEN_SECONDS
    while seconds < wanted and time.monotonic() < give_up_at:
        chunk = source.read(wanted - seconds)
        if chunk is None:
            break
        meter.push(chunk.samples)
        rate = chunk.sample_rate_hz
        seconds += len(chunk.samples) / rate
        bandwidth.push(chunk)
        wanted = _SUSPECT_SECONDS if bandwidth.meter.suspects_limit else _LISTEN_SECONDS
    rms, peak, _ = meter.read()
    found = bandwidth.describe(rate)
    return f"{rate} Hz, level {rms:.1f} dBFS, peak {peak:.1f} dBFS{found}" if seconds else None


class _Bandwidth:
    """Above which frequency chunks of any rate have nothing."""

    def __init__(self) -> None:
        params = FeatureParams()
        self.meter = BandwidthMeter(params, looks=_SUSPECT_PATCHES, every=1)
        self._lowest_rate_hz = 2 * params.mel_max_hz
        self._resampler = ChunkResampler(params.sample_rate_hz)
        self._patches = PatchStream(params)

    def push(self, chunk: AudioChunk) -> None:
        for patch in self._patches.push(self._resampler.push(chunk)):
            self.meter.push(patch.content)

    def describe(self, rate_hz: int) -> str:
        """Advice after a comma; empty if there is no limit, or not enough sound to see one."""
        limit_hz = self.meter.bandwidth_hz
        if limit_hz is None and rate_hz < self._lowest_rate_hz:
            limit_hz = rate_hz / 2
        if limit_hz is None:
            return ""
        return f", {describe_bandwidth(limit_hz)}; if it can, let it send 16 kHz (AAC, not G.711)"


def check_outputs(config: Config) -> Iterator[Finding]:
    """A finding for each event output beside MQTT; no event is sent."""
    if config.webhook is not None:
        try:
            receiver = Receiver(config.webhook)
            receiver.reach()
        except (ConfigError, WebhookError) as error:
            yield Finding("webhook", works=False, detail=str(error))
        else:
            detail = f"{receiver.name} can be reached; nothing was posted"
            yield Finding("webhook", works=True, detail=detail)
    if config.event_file is not None:
        path = config.event_file.path
        existing = path if path.exists() else path.parent
        works = os.access(existing, os.W_OK) and (existing != path or path.is_file())
        detail = str(path) if works else f"{path}: expected a file that this user may write"
        yield Finding("event_file", works=works, detail=detail)
    if config.hook is not None:
        program = Path(config.hook.program[0])
        works = program.is_file() and os.access(program, os.X_OK)
        detail = str(program) if works else f"{program}: expected a program that this user may run"
        yield Finding("hook", works=works, detail=detail)


def _check_review(settings: ReviewSettings) -> Finding:
    try:
        import listener.review.server  # noqa: F401, PLC0415 - an extra
    except ModuleNotFoundError as error:
        detail = f"expected pip install 'earshot[review]': {error}"
        return Finding("review", works=False, detail=detail)
    return _check_address("review", settings)


def _check_address(name: str, settings: HttpSettings | ReviewSettings) -> Finding:
    """Whether a station could serve there; one that is running already does."""
    part = f"{name} {settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, settings.port), family=family).close()
    except OSError as error:
        detail = f"expected a free address: {error.strerror}; is the station already running?"
        return Finding(part, works=False, detail=detail)
    return Finding(part, works=True, detail="free")


def _check_clock(bundle: Bundle | None) -> Finding:
    """A computer without a clock battery starts in the past, before its bundle was made."""
    now = datetime.now().astimezone()
    made = datetime.fromisoformat(bundle.manifest.created) if bundle else None
    works = made is None or now >= made
    detail = f"{now:%Y-%m-%d %H:%M:%S %Z}" + ("" if works else f", before the bundle, {made}")
    return Finding("clock", works=works, detail=detail)

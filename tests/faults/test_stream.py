"""Stream stalls, 401, garbage, cut: "restart with back-off and jitter; credentials never in a log, ...".

One station listens to servers of every kind of fault, and to one that works.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from listener.detection.bundle import Bundle
from tests.bundles import LOW_TONE_HZ
from tests.listener.test_station import metric, starts, station_config, tone, write_wav
from tests.rigs import rtsp
from tests.rigs.fake_rtsp import Faults, fake_rtsp_server
from tests.rigs.http_audio import Page, http_server
from tests.rigs.mosquitto import Mosquitto, subscribe, wait_until
from tests.rigs.station import get, running_station

SECRETS = ("gu3st", "s3cret", "t0ken")
LOGIN, QUERY = "gu3st:s3cret", "key=t0ken"
TIMEOUTS = {"open_timeout_seconds": 4.0, "read_timeout_seconds": 2.0}
WAIT_SECONDS = 40.0


@dataclass(frozen=True)
class Fault:
    """A server that fails, and what the log says of it; `heard` is whether it gives audio first."""

    name: str
    server: Faults
    line: str
    heard: bool = False


FAULTS = (
    Fault("refused", Faults(refuse=True), "cannot be opened: Server returned 401 Unauthorized"),
    Fault("mute", Faults(mute=True), "cannot be opened: no answer within 4 s"),
    Fault("garbage", Faults(garbage=True), "cannot be opened: Invalid data found"),
    Fault("stall", Faults(stall_after=2.0), "lost: no answer within 2 s", heard=True),
    Fault("cut", Faults(cut_after=2.0), "the stream ended", heard=True),
    Fault("noise", Faults(noise_after=2.0), "lost: no answer within 2 s", heard=True),
)


@contextmanager
def servers(directory: Path) -> Iterator[list[dict[str, Any]]]:
    """A source for each fault, one that asks for its password, and one that is cut by its end."""
    wav = write_wav(directory / "tone.wav", tone(LOW_TONE_HZ, 60))
    pages = {"/private": Page(wav.read_bytes(), login=LOGIN), "/gone": Page(status=404)}
    with ExitStack() as stack:
        http = stack.enter_context(http_server(pages))
        urls = {
            fault.name: f"rtsp://{LOGIN}@{stack.enter_context(fake_rtsp_server(fault.server))}/cam"
            for fault in FAULTS
        }
        urls |= {"good": f"http://{LOGIN}@{http}/private", "gone": f"http://{LOGIN}@{http}/gone"}
        if rtsp.missing() is None:
            address = stack.enter_context(rtsp.rtsp_server(wav, login=LOGIN))
            urls["camera"] = f"rtsp://{LOGIN}@{address}"
            urls["locked"] = f"rtsp://gu3st:no-s3cret@{address}"
        yield [
            {"name": name, "kind": "stream", "url": f"{url}?{QUERY}", **TIMEOUTS}
            for name, url in urls.items()
        ]


def restarts(config: dict[str, Any], name: str) -> float:
    return metric(config, f'listener_source_restarts_total{{source="{name}"}}') or 0.0


def is_up(config: dict[str, Any], name: str) -> bool:
    return metric(config, f'listener_source_up{{source="{name}"}}') == 1


def test_streams_that_fail_are_tried_again_and_never_say_their_password(
    tones_bundle: Bundle, tmp_path: Path
) -> None:
    with (
        Mosquitto(tmp_path) as broker,
        subscribe(broker.port, "earshot/#") as messages,
        servers(tmp_path) as sources,
    ):
        config = station_config(tones_bundle, broker, sources, log_level="debug")
        with running_station(tmp_path, config) as station:
            names = {source["name"] for source in sources}
            good = names & {"good", "camera"}
            for name in good:
                messages.wait_for(starts(name, "low_tone"), seconds=WAIT_SECONDS)
            for fault in FAULTS:
                if fault.heard:  # offline, online, offline, and online again
                    messages.wait_for_topic(f"earshot/test/{fault.name}/status", 4, WAIT_SECONDS)
            wait_until(
                lambda: all(restarts(config, name) >= 2 for name in names - good),
                WAIT_SECONDS,
                f"each tried twice again: {sorted(names - good)}",
            )
            wait_until(
                lambda: all(is_up(config, name) for name in good), WAIT_SECONDS, f"up: {good}"
            )
            pages = [get(config["http"]["port"], path)[1] for path in ("/metrics", "/readyz")]
            station.stop()
    for fault in FAULTS:
        said = re.findall(rf"source {fault.name}: lost: (\S+): (.*)", station.log)
        assert said, station.log
        assert any(line.startswith(fault.line) for _, line in said), said
        assert all(address.endswith("/cam?key=...") for address, _ in said)
        if not fault.heard:
            assert len(said) == 1  # once an episode, not once a try
    told = [f"{message.topic} {message.payload}" for message in messages.all]
    for secret in SECRETS:
        assert secret not in station.log
        assert secret not in station.output
        assert not any(secret in text for text in [*told, *pages])
    assert "Traceback" not in station.log


BARE = """
import sys, av
with av.open(sys.argv[1], options={"rtsp_transport": "tcp"}) as container:
    for packet in container.demux():
        print("heard", flush=True)
"""


def test_a_bare_reader_of_a_stream_that_stalls_hangs() -> None:
    """The negative control: it has heard a second and will never say that no more comes."""
    with fake_rtsp_server(Faults(stall_after=1.0)) as address:
        command = [sys.executable, "-c", BARE, f"rtsp://{address}/cam"]
        with pytest.raises(subprocess.TimeoutExpired) as hung:
            subprocess.run(command, capture_output=True, timeout=5, check=False)
    assert (hung.value.stdout or b"").count(b"heard") > 10


def test_a_bare_reader_says_the_password() -> None:
    """The negative control: what FFmpeg's own error would have put into the log."""
    with http_server({}) as address:
        command = [sys.executable, "-c", BARE, f"http://{LOGIN}@{address}/gone"]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode != 0
    assert "s3cret" in ran.stderr

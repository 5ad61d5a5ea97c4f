"""`listener watch` against a real HTTP server of a station's."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from listener.commands.watch_screen import SourceView, read_views
from listener.config.station import HttpSettings
from listener.control.http_server import HttpServer
from listener.health import Health
from listener.sinks.metrics import metrics_registry
from tests.listener.commands.program import one_line, run_listener
from tests.rigs.mosquitto import free_port
from tests.rigs.station import LISTENER, write_toml
from tests.rigs.terminal import COLOUR, in_terminal

LABELS = ("smoke_alarm", "dog", "glass")


@pytest.fixture
def health() -> Health:
    health = Health(LABELS, "home@1")
    hall = health.add_source("hall")
    hall.status, hall.patches, hall.level_dbfs = "online", 1, -43.25
    hall.by_label.scores[:] = [0.1, 0.92, 0.5]
    hall.by_label.active[1] = True
    health.add_source("yard")
    health.add_source("barn").status = "silent"
    return health


@pytest.fixture
def server(health: Health) -> Iterator[HttpServer]:
    settings = HttpSettings(port=free_port())
    server = HttpServer(settings, health, metrics_registry(health))
    server.start()
    yield server
    server.close()


def test_without_a_terminal_a_line_a_source_until_interrupted(server: HttpServer):
    arguments = [*LISTENER, "watch", "--url", f"http://127.0.0.1:{server.port}/"]
    process = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert lines[0] == "hall online -43.2 dBFS dog=0.92 glass=0.50 smoke_alarm=0.10\n"
    assert lines[1].startswith("yard offline -120.0 dBFS ")
    assert lines[2].startswith("barn silent -120.0 dBFS ")
    assert (process.returncode, errors) == (0, "")


def test_the_address_is_that_of_the_config(server: HttpServer, tmp_path: Path):
    server.close()
    config = write_toml(
        tmp_path / "config.toml",
        {
            "bundle": "b",
            "sources": [{"name": "a", "kind": "microphone"}],
            "http": {"port": server.port},
        },
    )
    done = run_listener("watch", "--config", config)
    assert done.returncode == 3
    assert one_line(done.stderr).startswith(f"http://127.0.0.1:{server.port}/metrics: ")


def test_a_station_that_does_not_answer_is_one_line_and_exit_code_3():
    done = run_listener("watch", "--url", f"http://127.0.0.1:{free_port()}")
    assert (done.returncode, done.stdout) == (3, "")
    assert "the station does not answer" in one_line(done.stderr)


@pytest.mark.parametrize("url", ["nonsense", "http://[::1"])
def test_an_address_that_is_none_is_one_line_and_exit_code_2(url: str):
    done = run_listener("watch", "--url", url)
    assert (done.returncode, done.stdout) == (2, "")
    assert "expected the address of a station" in one_line(done.stderr)


class _OtherPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write("<html>grüße {".encode())

    def log_message(self, *_: object) -> None:
        pass


def test_a_page_that_is_no_station_is_one_line_and_exit_code_2():
    with HTTPServer(("127.0.0.1", 0), _OtherPage) as other:
        thread = threading.Thread(target=other.serve_forever, args=(0.05,))
        thread.start()
        done = run_listener("watch", "--url", f"http://127.0.0.1:{other.server_port}")
        other.shutdown()
        thread.join()
    assert (done.returncode, done.stdout) == (2, "")
    assert "expected the address of a station" in one_line(done.stderr)


def test_metrics_become_views_with_the_highest_scores_first():
    views = read_views(
        'listener_source_status{source="hall",status="offline"} 0.0\n'
        'listener_source_status{source="hall",status="clipping"} 1.0\n'
        'listener_level_dbfs{source="hall"} -12.5\n'
        'listener_score{source="hall",label="dog"} 0.25\n'
        'listener_score{source="hall",label="cat"} 0.75\n'
        'listener_events_total{source="hall",label="cat"} 3.0\n'
        'listener_event_active{source="hall",label="cat"} 1.0\n'
        'listener_event_active{source="hall",label="dog"} 0.0\n'
        "listener_mqtt_connected 1.0\n"
    )
    assert views == {
        "hall": SourceView(
            status="clipping",
            level_dbfs=-12.5,
            scores={"dog": 0.25, "cat": 0.75},
            events={"cat": 3},
            active={"cat"},
        )
    }
    assert views["hall"].top_scores(5) == [("cat", 0.75), ("dog", 0.25)]
    assert views["hall"].top_scores(1) == [("cat", 0.75)]


def test_in_a_terminal_a_picture_until_interrupted(server: HttpServer):
    url = f"http://127.0.0.1:{server.port}/"
    with in_terminal(*LISTENER, "watch", "--url", url, columns=80) as program:
        program.read_until(lambda text: "events" in text and "now, peak 0.92" in text, 60)
        program.interrupt()
        assert program.read_to_end(30) == 0
    assert "█████" in program.text
    assert COLOUR.search(program.raw)
    assert "Traceback" not in program.text


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [(["--plain"], {}), ([], {"TERM": "dumb"})],
    ids=["plain", "dumb"],
)
def test_in_a_terminal_lines_where_no_picture_is_wanted_or_possible(
    server: HttpServer, arguments: list[str], environment: dict[str, str]
):
    url = f"http://127.0.0.1:{server.port}/"
    with in_terminal(
        *LISTENER, "watch", "--url", url, *arguments, columns=60, environment=environment
    ) as program:
        program.read_until(lambda text: "hall online" in text and "barn silent" in text, 60)
    assert "hall online -43.2 dBFS dog=0.92 glass=0.50 smoke_alarm=0.10" in program.text


def test_no_color_in_the_environment_takes_the_colours(server: HttpServer):
    url = f"http://127.0.0.1:{server.port}/"
    with in_terminal(*LISTENER, "watch", "--url", url, environment={"NO_COLOR": "1"}) as program:
        program.read_until(lambda text: "events" in text, 60)
    assert not COLOUR.search(program.raw)

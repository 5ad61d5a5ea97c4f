"""A real MLServer gives the local engine's scores, and no event is lost when it is killed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from listener.adapters import open_engine
from listener.commands.check import check_servers
from listener.config.engine import DetectionSettings, EngineSettings, RemoteSettings
from listener.detection.bundle import Bundle, read_bundle, served_model
from listener.detection.event import SoundEvent
from listener.engines.engine import Engine, EngineError, Outputs
from listener.engines.litert import LiteRTEngine
from listener.engines.remote.channel import ServerError
from listener.engines.remote.remote_engine import RemoteEngine, open_remote
from listener.engines.remote.server import Server, open_channel, read_golden_check
from listener.health import FALLBACK, RemoteHealth
from listener.offline import Analysis, analyse_file
from listener.pipeline.pipeline import PipelineSettings
from listener.planning import make_detection_plan
from listener.starter import starter_bundle_path
from tests.listener.scenes import two_tones, write_sound
from tests.rigs.model_server import ModelServer, need_mlserver
from tests.rigs.mosquitto import free_port, wait_until
from trainer.export.model_repository import write_to_repository

TIMEOUT_SECONDS = 8.0  # for a busy machine
FLOAT16_ERROR = 2e-3  # of scores, with float16 patches
FLOW = PipelineSettings(EngineSettings(max_batch=4, max_wait_ms=0.0))


@pytest.fixture(scope="module")
def starter() -> Bundle:
    return read_bundle(starter_bundle_path())


@pytest.fixture(scope="module")
def repository(
    tmp_path_factory: pytest.TempPathFactory, tones_bundle: Bundle, starter: Bundle
) -> Path:
    need_mlserver()
    path = tmp_path_factory.mktemp("serving") / "repository"
    write_to_repository(tones_bundle, path)
    write_to_repository(starter, path)
    return path


@pytest.fixture(scope="module")
def server(repository: Path) -> Iterator[ModelServer]:
    with ModelServer(repository.parent, repository) as server:
        yield server


@pytest.fixture
def mortal_server(repository: Path, tmp_path: Path) -> Iterator[ModelServer]:
    with ModelServer(tmp_path, repository) as server:
        yield server


def settings_of(*urls: str, **changes: Any) -> RemoteSettings:
    usual = {"urls": urls, "timeout_seconds": TIMEOUT_SECONDS / len(urls), "retry_seconds": 0.1}
    return RemoteSettings.model_validate(usual | changes)


def open_alone(bundle: Bundle, *urls: str, **changes: Any) -> RemoteEngine:
    settings = settings_of(*urls, **changes)
    return open_remote(bundle, settings, None, RemoteHealth.of(settings.urls))


def random_patches(count: int) -> NDArray[np.float32]:
    return np.random.default_rng(count).normal(-3.0, 2.0, (count, 96, 64)).astype(np.float32)


@pytest.mark.parametrize("scheme", ["grpc", "http"])
@pytest.mark.parametrize("count", [1, 7, 33])
def test_scores_and_embeddings_are_the_local_engines(
    server: ModelServer, tones_bundle: Bundle, starter: Bundle, scheme: str, count: int
):
    url = server.grpc_url if scheme == "grpc" else server.http_url
    patches = random_patches(count)
    for bundle in (tones_bundle, starter):
        scores, embeddings = open_alone(bundle, url).infer(patches)
        local_scores, local_embeddings = LiteRTEngine(bundle.model_path).infer(patches)
        assert scores.dtype == embeddings.dtype == np.float32
        # random patches, not sound: the starter's scores are steeper here than on recordings
        np.testing.assert_allclose(scores, local_scores, atol=1e-2)
        np.testing.assert_allclose(embeddings, local_embeddings, atol=1e-2)


def analyse(path: Path, engine: Engine, bundle: Bundle) -> Analysis:
    plan = make_detection_plan(bundle, DetectionSettings(), "test")
    return analyse_file(path, engine, plan, FLOW)


def essence(events: list[SoundEvent]) -> list[tuple[str, str, float, float | None]]:
    return [(event.id, event.label, event.onset, event.offset) for event in events]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sound(tmp_path_factory.mktemp("scenes") / "two_tones.wav", two_tones())


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_the_same_events_on_the_same_file(
    server: ModelServer, tones_bundle: Bundle, sound: Path, scheme: str
):
    url = server.grpc_url if scheme == "grpc" else server.http_url
    here = analyse(sound, open_engine(tones_bundle, EngineSettings()), tones_bundle)
    there = analyse(sound, open_alone(tones_bundle, url), tones_bundle)
    assert [event.label for event in here.events] == ["low_tone", "high_tone"]
    assert essence(there.events) == essence(here.events)
    np.testing.assert_allclose(there.scores, here.scores, atol=FLOAT16_ERROR)


class InterruptedEngine:
    """Calls `action` before its third batch, in the middle of the first sound."""

    def __init__(self, engine: Engine, action: Callable[[], object]) -> None:
        self._engine, self._action = engine, action
        self.batches: list[int] = []

    def infer(self, patches: NDArray[np.float32]) -> Outputs:
        self.batches.append(len(patches))
        if len(self.batches) == 3:
            self._action()
        return self._engine.infer(patches)


class NaiveEngine:
    """The naive version: scores of 0 where there is no answer."""

    def __init__(self, server: Server, labels: int) -> None:
        self._server, self._labels = server, labels

    def infer(self, patches: NDArray[np.float32]) -> Outputs:
        try:
            return self._server.infer(patches)
        except ServerError:
            shape = (len(patches), self._labels)
            return np.zeros(shape, np.float32), np.zeros((len(patches), 64), np.float32)


def test_a_killed_server_costs_no_event(
    mortal_server: ModelServer, tones_bundle: Bundle, sound: Path
):
    local = LiteRTEngine(tones_bundle.model_path)
    settings = settings_of(mortal_server.grpc_url)
    health = RemoteHealth.of(settings.urls)
    remote = open_remote(tones_bundle, settings, local, health)
    here = analyse(sound, local, tones_bundle)
    interrupted = InterruptedEngine(remote, mortal_server.kill)
    there = analyse(sound, interrupted, tones_bundle)
    assert essence(there.events) == essence(here.events)
    numbers = health.servers[mortal_server.grpc_url]
    assert (numbers.requests, numbers.failures, numbers.up) == (3, 1, False)
    assert health.fallback_patches == sum(interrupted.batches[2:])
    assert health.active == FALLBACK


def test_a_naive_engine_loses_events(mortal_server: ModelServer, tones_bundle: Bundle, sound: Path):
    settings, golden = settings_of(mortal_server.grpc_url), read_golden_check(tones_bundle)
    server = Server(open_channel(mortal_server.grpc_url, golden.model, settings), golden, settings)
    naive = NaiveEngine(server, len(tones_bundle.labels))
    events = analyse(sound, InterruptedEngine(naive, mortal_server.kill), tones_bundle).events
    assert "high_tone" not in [event.label for event in events]


def test_a_server_that_comes_back_is_used_again(mortal_server: ModelServer, tones_bundle: Bundle):
    settings = settings_of(mortal_server.grpc_url)
    health = RemoteHealth.of(settings.urls)
    local = LiteRTEngine(tones_bundle.model_path)
    engine = open_remote(tones_bundle, settings, local, health)
    mortal_server.kill()
    engine.infer(random_patches(2))
    assert (health.active, health.fallback_patches) == (FALLBACK, 2)
    mortal_server.start()
    numbers = health.servers[mortal_server.grpc_url]
    wait_until(lambda: numbers.up, 60, "the server is up again")
    engine.infer(random_patches(2))
    assert (health.active, health.fallback_patches) == (mortal_server.grpc_url, 2)


def test_the_next_server_takes_over(
    server: ModelServer, mortal_server: ModelServer, tones_bundle: Bundle
):
    engine = open_alone(tones_bundle, mortal_server.grpc_url, server.http_url)
    mortal_server.kill()
    patches = random_patches(3)
    scores, _ = engine.infer(patches)
    expected, _ = LiteRTEngine(tones_bundle.model_path).infer(patches)
    np.testing.assert_allclose(scores, expected, atol=1e-2)


def test_a_server_without_the_bundles_model_is_refused(
    server: ModelServer, repository: Path, tones_bundle: Bundle
):
    [folder] = [path for path in repository.iterdir() if path.name.startswith("tones-")]
    settings = json.loads((folder / "1" / "model-settings.json").read_text())
    assert settings["platform"] == "tones@1"
    manifest = tones_bundle.manifest
    files = dict(manifest.files) | {"model.tflite": "0" * 64}
    other = Bundle(tones_bundle.path, replace(manifest, files=files))
    for url in (server.grpc_url, server.http_url):
        with pytest.raises(EngineError, match=r"tones-000000000000 .*not found"):
            open_alone(other, url)


def test_check_asks_every_server_for_the_golden_scores(server: ModelServer, tones_bundle: Bundle):
    gone = f"grpc://127.0.0.1:{free_port()}"
    settings = EngineSettings(kind="remote", remote=settings_of(server.grpc_url, gone))
    works, fails = check_servers(tones_bundle, settings)
    assert (works.part, works.works) == (f"server {server.grpc_url}", True)
    assert works.detail.startswith(f"{served_model(tones_bundle)}, golden check passed, ")
    assert (fails.part, fails.works) == (f"server {gone}", False)
    assert "unavailable" in fails.detail
    assert list(check_servers(tones_bundle, EngineSettings())) == []

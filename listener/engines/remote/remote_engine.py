"""The engine that sends patches to model servers, and to a local engine while none of them answers."""

import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from listener.config.engine import RemoteSettings
from listener.detection.bundle import Bundle
from listener.engines.engine import Engine, EngineError, Outputs
from listener.engines.remote.channel import ServerError
from listener.engines.remote.server import Server, Servers, open_channel, read_golden_check
from listener.faults import describe, trace_of
from listener.health import FALLBACK, RemoteHealth

log = logging.getLogger(__name__)

_WAIT_SECONDS = 1.0  # for a server to come back, before the next beat


class RemoteEngine:
    """An `Engine`: the first server that is up, in the order of the config, else `fallback`.

    Without `fallback` it waits until a server is up, and calls `beat` every second.
    """

    def __init__(
        self,
        servers: Servers,
        fallback: Engine | None,
        health: RemoteHealth,
        beat: Callable[[], None],
    ) -> None:
        self._servers, self._fallback = servers, fallback
        self._health, self._beat = health, beat

    def infer(self, patches: NDArray[np.float32]) -> Outputs:
        """Log-mel patches (B, 96, 64) -> scores (B, K), embeddings (B, D); see `Engine`."""
        while True:
            outputs = self._ask_servers(patches)
            if outputs is not None:
                return outputs
            if self._fallback is not None:
                self._note_active(FALLBACK)
                self._health.fallback_patches += len(patches)
                return self._fallback.infer(patches)
            self._note_active(None)
            self._servers.wait_for_one(_WAIT_SECONDS)
            self._beat()

    def _ask_servers(self, patches: NDArray[np.float32]) -> Outputs | None:
        """The outputs of the first server that answers; None if none does."""
        for url, server in self._servers.up():
            health = self._health.servers[url]
            health.requests += 1
            try:
                outputs = server.infer(patches)
            except ServerError as error:
                health.failures += 1
                self._servers.mark_lost(url, str(error))
                self._beat()
            except Exception as error:  # noqa: BLE001 - of a client library: this server's fault alone
                health.failures += 1
                if self._servers.mark_lost(url, describe(error)):
                    log.error("model server %s: unexpected error: %s", url, trace_of(error))  # noqa: TRY400
                self._beat()
            else:
                self._note_active(url)
                return outputs
        return None

    def _note_active(self, active: str | None) -> None:
        if active == self._health.active:
            return
        self._health.active = active
        if active is None:
            log.error(
                "no model server answers: sources wait, and patches that wait too long are dropped"
            )
        elif active == FALLBACK:
            log.warning("no model server answers: patches go to the local engine")
        else:
            log.info("patches go to model server %s", active)


def open_remote(
    bundle: Bundle,
    settings: RemoteSettings,
    fallback: Engine | None,
    health: RemoteHealth,
    beat: Callable[[], None] = lambda: None,
) -> RemoteEngine:
    """The engine, after one try of each server.

    Raises:
        EngineError: the extra is not installed; or no server is up and there is no `fallback`.
        BundleError: the golden file cannot be used.
    """
    golden = read_golden_check(bundle)

    def open_server(url: str) -> Server:
        return Server(open_channel(url, golden.model, settings), golden, settings)

    servers = Servers(settings.urls, open_server, settings, health)
    down = servers.open_all()
    if fallback is None and len(down) == len(settings.urls):
        raise EngineError(f"the remote engine: no server is up: {'; '.join(down)}")
    return RemoteEngine(servers, fallback, health, beat)

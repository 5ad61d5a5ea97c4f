"""A small MQTT broker inside the process, for the demo; real stations use Mosquitto or the like."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from types import TracebackType
from typing import Any, Self

from listener.config.station import ConfigError

_HOST = "127.0.0.1"
_START_SECONDS = 10.0
_STOP_SECONDS = 3.0  # amqtt's shutdown has been seen to hang; its thread is a daemon


class EmbeddedBroker:
    """amqtt on a free port of this machine, on a thread of its own; MQTT 3.1.1 only. A context.

    Raises:
        ConfigError: amqtt is not installed.
    """

    def __init__(self) -> None:
        try:
            from amqtt.broker import Broker  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            raise ConfigError(
                "the demo's broker is not installed: pip install 'earshot[broker]'"
            ) from error
        logging.getLogger("amqtt").setLevel(logging.ERROR)
        logging.getLogger("transitions").setLevel(logging.ERROR)
        self.host, self.port = _HOST, _free_port()
        self._loop = asyncio.new_event_loop()
        self._broker: Any = None
        self._make = Broker
        self._thread = threading.Thread(target=self._loop.run_forever, name="broker", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(_START_SECONDS)
        return self

    async def _start(self) -> None:
        self._broker = self._make(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"{self.host}:{self.port}"}},
                "plugins": {
                    "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}
                },
            }
        )
        await self._broker.start()

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        stopped = asyncio.run_coroutine_threadsafe(self._broker.shutdown(), self._loop)
        try:
            stopped.result(_STOP_SECONDS)
        except TimeoutError:
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STOP_SECONDS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])

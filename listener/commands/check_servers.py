"""`listener check`: each model server of the remote engine, asked for the bundle's golden scores."""

from __future__ import annotations

import time
from collections.abc import Iterator

from listener.commands.finding import Finding
from listener.config.engine import EngineSettings
from listener.detection.bundle import Bundle
from listener.engines.engine import EngineError
from listener.engines.remote.channel import ServerError
from listener.engines.remote.server import Server, expected_of, open_channel


def check_servers(bundle: Bundle, settings: EngineSettings) -> Iterator[Finding]:
    """A finding for each server, if patches go to servers."""
    if settings.kind != "remote":
        return
    expected, remote = expected_of(bundle), settings.remote
    for url in remote.urls:
        part = f"server {url}"
        try:
            server = Server(open_channel(url, expected.model, remote), expected, remote)
            began = time.perf_counter()
            server.infer(expected.patches[:1])
        except (ServerError, EngineError) as error:
            yield Finding(part, works=False, detail=f"{expected.model}: {error}")
        else:
            milliseconds = (time.perf_counter() - began) * 1000
            detail = f"{expected.model}, golden check passed, {milliseconds:.1f} ms a patch"
            yield Finding(part, works=True, detail=detail)

"""Stores that are closed when their test ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from listener.outbox.store import Bounds
from tests.listener.outbox.doubles import Opener, OpenStore, open_store


@pytest.fixture(name="open_store")
def _open_store() -> Iterator[Opener]:
    """Opens stores as `doubles.open_store` does."""
    with ExitStack() as stores:

        def open_one(path: Path | None, bounds: Bounds | None = None) -> OpenStore:
            opened = open_store(path, bounds)
            stores.callback(opened.crash)
            return opened

        yield open_one

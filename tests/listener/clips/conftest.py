"""Stores that are closed when their test ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from listener.clips.store import ClipStore
from tests.listener.clips.drafts import Opener, open_store


@pytest.fixture(name="open_store")
def _open_store() -> Iterator[Opener]:
    """Opens stores as `drafts.open_store` does."""
    with ExitStack() as stores:

        def open_one(directory: Path, **changes: Any) -> ClipStore:
            return stores.enter_context(closing(open_store(directory, **changes)))

        yield open_one

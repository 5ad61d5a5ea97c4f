"""`listener clips list` and `show`, and the store that all of these commands open."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import typer
from rich.console import Console
from rich.table import Table

from listener.clips.index import ClipFilter
from listener.clips.store import ClipStore
from listener.config.station import Config, ConfigError
from listener.detection.clip import ClipRecord
from listener.detection.clip_files import record_bytes
from listener.documents import to_json


@contextmanager
def opened_store(config: Config, labels: Collection[str] = ()) -> Iterator[ClipStore]:
    """The station's store, whether or not the station runs; `labels` are what verdicts may name.

    Raises:
        ConfigError: there is none.
        ClipError: it cannot be opened.
    """
    if not config.clips.directory.is_dir():
        raise ConfigError(f"clips.directory: {config.clips.directory}: expected a clip store")
    store = ClipStore(config.clips, labels)
    try:
        yield store
    finally:
        store.close()


def print_clips(
    config: Config, wanted: ClipFilter, limit: int, after: str | None, *, as_table: bool
) -> None:
    """Print clips, newest first.

    Raises:
        ConfigError, ClipError: what they say.
    """
    with opened_store(config) as store:
        records = store.find(wanted, limit, after)
    if as_table:
        Console(soft_wrap=True).print(_table(records))
    else:
        for record in records:
            typer.echo(to_json(clip_document(record)))


def print_clip(config: Config, clip_id: str) -> None:
    """Print all that is known of a clip.

    Raises:
        ConfigError, ClipError: what they say.
    """
    with opened_store(config) as store:
        typer.echo(json.dumps(clip_document(store.get(clip_id)), indent=1, ensure_ascii=False))


def clip_document(record: ClipRecord) -> dict[str, object]:
    """The sidecar's content, and where the audio lies."""
    document: dict[str, object] = json.loads(record_bytes(record))
    return document | {"path": str(record.path)}


def _table(records: Sequence[ClipRecord]) -> Table:
    table = Table("id", "captured", "source", "seconds", "reason", "label", "score", "verdict")
    for record in records:
        table.add_row(*_cells(record))
    return table


def _cells(record: ClipRecord) -> tuple[str, ...]:
    captured = datetime.fromtimestamp(record.captured_at, UTC).astimezone()
    return (
        record.id,
        f"{captured:%Y-%m-%d %H:%M:%S}",
        record.source,
        f"{record.seconds:.1f}",
        record.reason.replace("_", " "),
        record.label or "",
        "" if record.score is None else f"{record.score:.2f}",
        _verdict(record),
    )


def _verdict(record: ClipRecord) -> str:
    if record.verdict is None:
        return ""
    if record.verdict.value != "labels":
        return record.verdict.value
    return ", ".join(span.label for span in record.verdict.labels) or "nothing"

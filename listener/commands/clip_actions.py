"""`listener clips list` and `show`, and the store that all of these commands open."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from listener.clips.index import ClipFilter
from listener.clips.store import ClipStore
from listener.config.station import Config, ConfigError
from listener.detection.bundle import read_bundle
from listener.detection.clip import ClipRecord, LabelSpan, Verdict, VerdictValue
from listener.detection.clip_files import record_bytes
from listener.files import to_json

_COLUMNS = ("filename", "onset", "offset", "label")
_PAGE = 500


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


# `listener clips export`: what people said of clips as a data set of spans, beside the audio.


_TABLE_FILE, _AUDIO_FOLDER = "clips.csv", "audio"


def export_clips(config: Config, wanted: ClipFilter, out: Path) -> Path:
    """Write the clips that have a verdict, and ambient ones, whole or not at all; gives where.

    A clip that a person said is wrong, and an ambient one, is in the table without a span: nothing of
    what is looked for is in it.

    Raises:
        ConfigError: `out` is there already, or there is nothing to write.
        ClipError: the store cannot be used.
    """
    if out.exists():
        raise ConfigError(f"{out}: expected a free name, it is there already")
    try:
        with (
            opened_store(config) as store,
            tempfile.TemporaryDirectory(dir=out.parent, prefix=".export-") as partial,
        ):
            _write(Path(partial) / "clips", _exported(store, wanted))
            _put_in_place(Path(partial) / "clips", out)
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written: {error.strerror}") from error
    return out


def _exported(
    store: ClipStore, wanted: ClipFilter
) -> list[tuple[ClipRecord, tuple[LabelSpan, ...]]]:
    found = [(record, _heard(record)) for record in _all(store, wanted)]
    clips = [(record, heard) for record, heard in found if heard is not None]
    if not clips:
        raise ConfigError(
            f"expected clips with a verdict or ambient ones, found {len(found)} others"
        )
    return clips


def _all(store: ClipStore, wanted: ClipFilter) -> Iterator[ClipRecord]:
    page = store.find(wanted, _PAGE)
    while page:
        yield from page
        page = store.find(wanted, _PAGE, after=page[-1].id)


def _heard(record: ClipRecord) -> tuple[LabelSpan, ...] | None:
    """None: nobody knows."""
    return () if record.verdict is None and record.reason == "ambient" else record.heard


def _write(folder: Path, clips: Sequence[tuple[ClipRecord, tuple[LabelSpan, ...]]]) -> None:
    audio = folder / _AUDIO_FOLDER
    audio.mkdir(parents=True, mode=0o700)
    for record, _ in clips:
        shutil.copyfile(record.path, audio / record.path.name)
    (folder / _TABLE_FILE).write_text(_table_clip_export(clips), encoding="utf-8")


def _table_clip_export(clips: Sequence[tuple[ClipRecord, tuple[LabelSpan, ...]]]) -> str:
    lines = io.StringIO()
    table = csv.writer(lines, lineterminator="\n")
    table.writerow(_COLUMNS)
    for record, heard in clips:
        name = record.path.name
        spans = [(name, f"{s.onset:.3f}", f"{s.offset:.3f}", s.label) for s in heard]
        table.writerows(spans or [(name, "", "", "")])
    return lines.getvalue()


def _put_in_place(folder: Path, out: Path) -> None:
    if out.suffix != ".zip":
        folder.rename(out)
        return
    archive = shutil.make_archive(str(folder), "zip", folder)
    Path(archive).rename(out)


# `listener clips label`: a person's verdict.


_SPAN = re.compile(r"(?P<label>[^@]+)(@(?P<onset>\d+(\.\d+)?)-(?P<offset>\d+(\.\d+)?))?")


def label_clip(
    config: Config, clip_id: str, right: bool, wrong: bool, labels: Sequence[str], who: str
) -> None:
    """Add a verdict to a clip and print what is known of it.

    Raises:
        ConfigError: not exactly one of right, wrong and labels, or a label of another form.
        BundleError, ClipError: what they say.
    """
    if right + wrong + bool(labels) != 1:
        raise ConfigError("expected one of --right, --wrong and --label")
    with opened_store(config, read_bundle(config.bundle).labels) as store:
        seconds = store.get(clip_id).seconds
        spans = tuple(parse_span(text, seconds) for text in labels)
        value: VerdictValue = "right" if right else "wrong" if wrong else "labels"
        try:
            verdict = Verdict(value, who, time.time(), spans)
        except ValidationError as error:
            raise ConfigError(f"--who: expected a name in one line, got {who!r}") from error
        typer.echo(to_json(clip_document(store.judge(clip_id, verdict))))


def parse_span(text: str, seconds: float) -> LabelSpan:
    """`dog@1.5-3` -> the label from 1.5 to 3 s; `dog` -> all of a clip of so many seconds.

    Raises:
        ConfigError: another form, or times that do not run forward.
    """
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ConfigError(f"--label: expected NAME or NAME@ON-OFF in seconds, got {text!r}")
    onset, offset = match["onset"] or 0.0, match["offset"] or seconds
    try:
        return LabelSpan(match["label"], float(onset), float(offset))
    except ValidationError as error:
        raise ConfigError(f"--label: expected 0 <= ON < OFF, got {text!r}") from error

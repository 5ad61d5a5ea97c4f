"""`listener clips export`: what people said of clips as a data set of spans, beside the audio."""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from listener.clips.index import ClipFilter
from listener.clips.store import ClipStore
from listener.commands.clip_listing import opened_store
from listener.config.station import Config, ConfigError
from listener.detection.clip import ClipRecord, LabelSpan

_TABLE_FILE, _AUDIO_FOLDER = "clips.csv", "audio"
_COLUMNS = ("filename", "onset", "offset", "label")
_PAGE = 500


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
    (folder / _TABLE_FILE).write_text(_table(clips), encoding="utf-8")


def _table(clips: Sequence[tuple[ClipRecord, tuple[LabelSpan, ...]]]) -> str:
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

"""Opens a store: rebuilds a broken index, and brings the index in step with the files."""

import logging
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from listener.clips import index, layout
from listener.clips.catalogue import Catalogue
from listener.detection import clip, clip_files

log = logging.getLogger(__name__)

_PORTION = 1000  # clips in one transaction

_Item = TypeVar("_Item")


def open_catalogue(directory: Path) -> Catalogue:
    """The catalogue of a store; the caller holds the store's lock.

    Raises:
        ClipError: it cannot be opened or rebuilt.
    """
    inventory = layout.take_inventory(directory)
    if inventory.leftovers:
        log.warning("clips: %d files of unfinished clips are removed", len(inventory.leftovers))
    for path in inventory.leftovers:
        path.unlink()
    catalogue = _open(directory)
    with ExitStack() as on_error:
        on_error.callback(catalogue.close)
        _reconcile(directory, catalogue, inventory.changed_ns)
        on_error.pop_all()
    return catalogue


def _open(directory: Path) -> Catalogue:
    folder = directory / layout.INDEX_DIRECTORY
    folder.mkdir(mode=0o700, exist_ok=True)
    with ExitStack() as on_error:
        try:
            catalogue = Catalogue(directory, folder, index.Index(folder / "index.sqlite"))
            on_error.callback(catalogue.close)
            if catalogue.complete:
                on_error.pop_all()
                return catalogue
            fault = "embeddings are missing"
        except (sqlite3.DatabaseError, clip.ClipError) as error:
            fault = str(error)
    log.warning("clips: the index is rebuilt: %s", fault)
    shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    return Catalogue(directory, folder, index.Index(folder / "index.sqlite"))


def _reconcile(directory: Path, catalogue: Catalogue, found: Mapping[str, int]) -> None:
    known = catalogue.changes_ns()
    gone = [clip_id for clip_id in known if clip_id not in found]
    changed = [
        clip_files.sidecar_path(layout.audio_path(directory, clip_id))
        for clip_id, changed_ns in found.items()
        if known.get(clip_id) != changed_ns
    ]
    if gone or changed:
        log.info("clips: %d are new to the index, %d are gone", len(changed), len(gone))
    for ids in _portions(gone):
        catalogue.remove(ids)
    for paths in _portions(changed):
        records = [record for path in paths if (record := _read(path)) is not None]
        catalogue.put(records)
        for path in {*paths} - {clip_files.sidecar_path(record.path) for record in records}:
            # for a person to look at: deleting a sidecar could lose a verdict
            quarantine = directory / layout.QUARANTINE_DIRECTORY
            quarantine.mkdir(mode=0o700, exist_ok=True)
            for suffix in (
                clip_files.SIDECAR_SUFFIX,
                clip_files.AUDIO_SUFFIX,
                clip_files.ANALYSIS_SUFFIX,
            ):
                if (file := path.with_suffix(suffix)).exists():
                    file.replace(quarantine / file.name)
            catalogue.remove([path.stem])


def _portions(items: Sequence[_Item]) -> list[Sequence[_Item]]:
    return [items[start : start + _PORTION] for start in range(0, len(items), _PORTION)]


def _read(sidecar: Path) -> clip.ClipRecord | None:
    """The record of a clip; None, with a line in the log, if a file is missing or broken."""
    try:
        record = clip_files.read_sidecar(sidecar)
        if record.id != sidecar.stem or not record.path.is_file():
            raise clip.ClipError(f"{record.path}: expected the audio of clip {record.id}")  # noqa: TRY301
        clip.read_analysis(clip_files.analysis_path(record.path))
    except clip.ClipError as error:
        log.warning("clips: moved to %s: %s", layout.QUARANTINE_DIRECTORY, error)
        return None
    return record

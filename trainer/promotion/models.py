"""ModelsDirectory: bundles side by side, and the link to the one in use.

`DIR/<name>@<version>/` are bundles, `DIR/current` the link that the daemon follows, `DIR/previous` the one
before it, `DIR/history.jsonl` all that were in use.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from listener.detection.bundle import MANIFEST_FILE, Bundle, read_bundle
from listener.files import sync_directory
from trainer.errors import PromotionError

log = logging.getLogger(__name__)

TEMPORARY = ".incoming-"  # what a write that was cut short may leave; it begins with this
HISTORY_FILE = "history.jsonl"
_LOCK = ".lock"


# Files, links and folders that are there whole or not at all, also after a power cut.


def put_in_place(path: Path, content: bytes) -> None:
    """A file in place of an older one."""
    partial = path.with_name(TEMPORARY + path.name)
    with partial.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    partial.replace(path)
    sync_directory(path.parent)


def point(link: Path, target: str) -> None:
    """A symbolic link in place of an older one; who follows it finds the old target or the new."""
    partial = link.with_name(TEMPORARY + link.name)
    partial.unlink(missing_ok=True)
    partial.symlink_to(target)
    partial.replace(link)
    sync_directory(link.parent)


def sync_tree(directory: Path) -> None:
    """All files in it and below, and their names."""
    for path in directory.rglob("*"):
        if path.is_dir():
            sync_directory(path)
        else:
            _sync_file(path)
    sync_directory(directory)


def _sync_file(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


# Which bundles of a directory were in use, one after another: `history.jsonl`.


def read_history(models: Path) -> list[str]:
    """Names of bundles, the oldest first.

    Raises:
        PromotionError: the file holds something else.
    """
    file = models / HISTORY_FILE
    if not file.exists():
        return []
    try:
        return [str(json.loads(line)["bundle"]) for line in file.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise PromotionError(f"{file}: expected a bundle a line: {error}") from error


def settle(models: Path, current: str | None) -> str | None:
    """Let the bundle in use be the newest; the newest before, if another program moved the link since.

    The station does that when a bundle fails its trial, and it writes no history. A promotion that was
    cut short looks alike: in both, what came after the bundle in use is no way back.

    Raises:
        OSError: it cannot be written.
    """
    history, lines = read_history(models), _lines(models)
    if current is None or history[-1:] == [current]:
        return None
    if current in history:
        place = len(history) - history[::-1].index(current) - 1
        back = json.loads(lines[place]) | {"instead_of": history[-1], "noticed_at": _now()}
        _write(models, [*lines[:place], json.dumps(back)])
    else:
        _write(models, [*lines, _line(current)])
    return history[-1] if history else None


def write_promotion(models: Path, promoted: str) -> None:
    """`promoted` comes after the newest.

    Raises:
        OSError: it cannot be written.
    """
    _write(models, [*_lines(models), _line(promoted)])


def forget_newest(models: Path) -> None:
    """The bundle before is in use again.

    Raises:
        OSError: it cannot be written.
    """
    _write(models, _lines(models)[:-1])


def _lines(models: Path) -> list[str]:
    file = models / HISTORY_FILE
    return file.read_text("utf-8").splitlines() if file.exists() else []


def _write(models: Path, lines: list[str]) -> None:
    put_in_place(models / HISTORY_FILE, "\n".join([*lines, ""]).encode())


def _line(bundle: str) -> str:
    return json.dumps({"bundle": bundle, "promoted_at": _now()})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


CURRENT, PREVIOUS = "current", "previous"


class ModelsDirectory:
    """The directory at `path`, which is made when it is first written to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def current(self) -> Bundle | None:
        """The bundle in use, verified; None where there is none yet.

        Raises:
            BundleError: it cannot be used.
            PromotionError: `current` is no link.
        """
        link = self.path / CURRENT
        if not os.path.lexists(link):
            return None
        if not link.is_symlink():
            raise PromotionError(f"{link}: expected a link to a bundle, found something else")
        return read_bundle(link.resolve())

    def promote(self, candidate: Bundle) -> Bundle:
        """Copy a bundle in and swap the link; killed at any moment, `current` is a whole bundle.

        Raises:
            PromotionError: another bundle has its name and version.
            BundleError: what lies there under its name is damaged.
            OSError: the directory cannot be written.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with self._only_writer():
            self._settle()
            promoted = self._bring_in(candidate)
            if promoted.id != self._name_of_current():
                write_promotion(self.path, promoted.id)
                point(self.path / CURRENT, promoted.id)
            self._point_to_previous()
            return promoted

    def roll_back(self) -> Bundle:
        """Swap the link back to the bundle that was in use before.

        Raises:
            PromotionError: there is none.
            BundleError: it cannot be used; the one in use stays.
            OSError: the directory cannot be written.
        """
        if not self.path.is_dir():
            raise PromotionError(f"{self.path}: expected a directory of bundles, found none")
        with self._only_writer():
            self._settle()
            used = read_history(self.path)
            if len(used) < 2:  # noqa: PLR2004 - the one in use and the one before
                raise PromotionError(f"{self.path}: nothing was in use before {CURRENT}")
            bundle = read_bundle(self.path / used[-2])
            point(self.path / CURRENT, used[-2])
            forget_newest(self.path)
            self._point_to_previous()
            return bundle

    def _name_of_current(self) -> str | None:
        link = self.path / CURRENT
        return link.readlink().name if link.is_symlink() else None

    def _settle(self) -> None:
        """The link is what is true: the station points it back by itself when a label jumps."""
        current = self._name_of_current()
        newest = settle(self.path, current)
        if newest is not None:
            log.warning(
                "%s is in use and not %s, promoted last: the station, or somebody, moved the link",
                current,
                newest,
            )
            self._point_to_previous()

    def _point_to_previous(self) -> None:
        """For people; what a rollback does is in the history."""
        used = read_history(self.path)
        if len(used) > 1:
            point(self.path / PREVIOUS, used[-2])
        else:
            (self.path / PREVIOUS).unlink(missing_ok=True)

    def _bring_in(self, candidate: Bundle) -> Bundle:
        place = self.path / candidate.id
        if place.exists():
            there = read_bundle(place)
            if there.manifest != candidate.manifest:
                raise PromotionError(
                    f"{place}: expected a free name, another bundle is {candidate.id} already: "
                    "give the candidate another version (trainer retrain --version)"
                )
            return there
        self._remove_unfinished()
        incoming = self.path / (TEMPORARY + candidate.id)
        _copy(candidate, incoming)
        sync_tree(incoming)
        incoming.rename(place)
        sync_directory(self.path)
        return read_bundle(place)

    def _remove_unfinished(self) -> None:
        for path in self.path.glob(TEMPORARY + "*"):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    @contextmanager
    def _only_writer(self) -> Iterator[None]:
        """While it is held no other promotion or rollback changes the directory (flock(2))."""
        handle = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _copy(bundle: Bundle, place: Path) -> None:
    """What the manifest lists, and the manifest."""
    for name in (*bundle.manifest.files, MANIFEST_FILE):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bundle.path / name, place / name)

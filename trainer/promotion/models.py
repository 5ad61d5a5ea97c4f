"""A directory of bundles side by side, the link to the one in use, and the history of those in use.

`DIR/<name>@<version>/` are bundles, `DIR/current` the link that the daemon follows, `DIR/previous` the
bundle before it, `DIR/history.jsonl` one line per bundle that was put in use, oldest first.
"""

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
from listener.files import replace_file, sync_directory
from trainer.errors import PromotionError

log = logging.getLogger(__name__)

INCOMING_PREFIX = ".incoming-"  # of what an interrupted promotion may leave behind
HISTORY_FILE = "history.jsonl"
_CURRENT, _PREVIOUS, _LOCK = "current", "previous", ".lock"
_HISTORY_MODE = 0o666  # less the umask, as of any new file


class ModelsDirectory:
    """The directory at `path`, which is made by the first promotion."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._current = path / _CURRENT

    def current(self) -> Bundle | None:
        """The bundle in use, verified; None if there is none yet.

        Raises:
            BundleError: it cannot be used.
            PromotionError: `current` is not a link.
        """
        if not os.path.lexists(self._current):
            return None
        if not self._current.is_symlink():
            raise PromotionError(
                f"{self._current}: expected a link to a bundle, found something else"
            )
        return read_bundle(self._current.resolve())

    def promote(self, candidate: Bundle) -> Bundle:
        """Copy a bundle in and swap the link; `current` is a whole bundle even if this is killed.

        Raises:
            PromotionError: another bundle has its name and version.
            BundleError: the bundle that has its name already is damaged.
            OSError: the directory cannot be written.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with self._locked():
            self._follow_link()
            promoted = self._add(candidate)
            if promoted.id != self._name_in_use():
                _write_history(self.path, [*_history_lines(self.path), _entry(promoted.id)])
                _replace_link(self._current, promoted.id)
            self._update_previous()
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
        with self._locked():
            self._follow_link()
            used = read_history(self.path)
            if len(used) < 2:  # noqa: PLR2004 - the one in use and the one before
                raise PromotionError(f"{self.path}: nothing was in use before {_CURRENT}")
            bundle = read_bundle(self.path / used[-2])
            _replace_link(self._current, used[-2])
            _write_history(self.path, _history_lines(self.path)[:-1])
            self._update_previous()
            return bundle

    def _name_in_use(self) -> str | None:
        return self._current.readlink().name if self._current.is_symlink() else None

    def _follow_link(self) -> None:
        """Make the history agree with the link, which the station or a person may have moved.

        The station points it back when a bundle fails its probation, and writes no history. An interrupted
        promotion looks the same: in both cases the entries after the bundle in use are no way back.
        """
        current, used = self._name_in_use(), read_history(self.path)
        if current is None or used[-1:] == [current]:
            return
        lines = _history_lines(self.path)
        if current not in used:
            _write_history(self.path, [*lines, _entry(current)])
        else:
            last = len(used) - 1 - used[::-1].index(current)
            moved_back = {"instead_of": used[-1], "noticed_at": _now()}
            entry = json.dumps(json.loads(lines[last]) | moved_back)
            _write_history(self.path, [*lines[:last], entry])
        if used:
            log.warning(
                "%s is in use, not %s, which was promoted last: the station or a person moved the link",
                current,
                used[-1],
            )
            self._update_previous()

    def _update_previous(self) -> None:
        """Point `previous` to the bundle before; it is for people, a rollback reads the history."""
        used = read_history(self.path)
        if len(used) > 1:
            _replace_link(self.path / _PREVIOUS, used[-2])
        else:
            (self.path / _PREVIOUS).unlink(missing_ok=True)

    def _add(self, candidate: Bundle) -> Bundle:
        """The candidate's copy in the directory, made if it is not there yet."""
        target = self.path / candidate.id
        if target.exists():
            present = read_bundle(target)
            if present.manifest != candidate.manifest:
                raise PromotionError(
                    f"{target}: expected a free name, another bundle is {candidate.id} already: "
                    "give the candidate another version (trainer retrain --version)"
                )
            return present
        for path in self.path.glob(INCOMING_PREFIX + "*"):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        incoming = self.path / (INCOMING_PREFIX + candidate.id)
        for name in (*candidate.manifest.files, MANIFEST_FILE):
            (incoming / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(candidate.path / name, incoming / name)
        _sync_tree(incoming)
        incoming.rename(target)
        sync_directory(self.path)
        return read_bundle(target)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other promotions and rollbacks out of the directory (flock(2))."""
        handle = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def read_history(models: Path) -> list[str]:
    """The names of the bundles that were put in use, oldest first.

    Raises:
        PromotionError: the file holds something else.
    """
    try:
        return [str(json.loads(line)["bundle"]) for line in _history_lines(models)]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        file = models / HISTORY_FILE
        raise PromotionError(f"{file}: expected a bundle a line: {error}") from error


def _history_lines(models: Path) -> list[str]:
    file = models / HISTORY_FILE
    return file.read_text("utf-8").splitlines() if file.exists() else []


def _write_history(models: Path, lines: list[str]) -> None:
    content = "\n".join([*lines, ""]).encode()
    replace_file(models / HISTORY_FILE, content, mode=_HISTORY_MODE)
    sync_directory(models)


def _entry(bundle: str) -> str:
    return json.dumps({"bundle": bundle, "promoted_at": _now()})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _replace_link(link: Path, target: str) -> None:
    """Point a symbolic link to another target; at any moment it leads to the old one or the new one."""
    partial = link.with_name(INCOMING_PREFIX + link.name)
    partial.unlink(missing_ok=True)
    partial.symlink_to(target)
    partial.replace(link)
    sync_directory(link.parent)


def _sync_tree(directory: Path) -> None:
    """Make all files in and below a directory durable, and their names."""
    for path in (*directory.rglob("*"), directory):
        if path.is_dir():
            sync_directory(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())

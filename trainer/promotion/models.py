"""ModelsDirectory: bundles side by side, and the link to the one in use.

`DIR/<name>@<version>/` are bundles, `DIR/current` the link that the daemon follows, `DIR/previous` the one
before it, `DIR/history.jsonl` all that were in use.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from listener.detection.bundle import MANIFEST_FILE, Bundle, read_bundle
from listener.detection.clip_files import sync_directory
from trainer.errors import PromotionError
from trainer.promotion.durable import TEMPORARY, point, sync_tree
from trainer.promotion.history import forget_newest, read_history, settle, write_promotion

log = logging.getLogger(__name__)

CURRENT, PREVIOUS = "current", "previous"
_LOCK = ".lock"


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

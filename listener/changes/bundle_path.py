"""Where the config says that the bundle is: a directory, or a link to one in a models directory."""

from __future__ import annotations

import os
from pathlib import Path

from listener.detection.bundle import BundleError


class BundlePath:
    """Follows a path that may be a link, and can point it back."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.seen = path.resolve()  # where it led to when somebody last looked

    def look(self) -> bool:
        """Whether it leads elsewhere since the last look; a link that leads nowhere is not followed."""
        target = self._path.resolve()
        if target == self.seen or not target.exists():
            return False
        self.seen = target
        return True

    def target(self) -> Path:
        """The directory that it leads to now.

        Raises:
            BundleError: a link that leads out of its own directory. A model is a program.
        """
        self.seen = self._path.resolve()
        models = self._path.parent.resolve()
        if self._path.is_symlink() and not self.seen.is_relative_to(models):
            raise BundleError(
                f"{self._path}: expected a link to a bundle in {models}, got {self.seen}"
            )
        return self.seen

    def point_to(self, bundle: Path) -> bool:
        """Make a link lead to that directory; False if it is no link that can be changed."""
        if not self._path.is_symlink():
            return False
        partial = self._path.with_name(f".{self._path.name}.{os.getpid()}.partial")
        try:
            partial.unlink(missing_ok=True)
            partial.symlink_to(os.path.relpath(bundle, self._path.parent.resolve()))
            partial.replace(self._path)
        except OSError:
            return False
        self.seen = self._path.resolve()
        return True

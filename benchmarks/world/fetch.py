"""Packages fetched with apt and unpacked, without being installed."""

import logging
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from benchmarks.world.archives import unpack
from benchmarks.world.packages import Package

log = logging.getLogger(__name__)


class FetchError(Exception):
    """A package that cannot be had."""


def fetch(packages: Iterable[Package], root: Path) -> None:
    """Unpack each package to `root`/name, unless it is there.

    Raises:
        FetchError: apt or dpkg are missing, or do not give the package, or it lacks an archive.
    """
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise FetchError(f"expected {tool}: the audio comes from Debian's packages")
    root.mkdir(parents=True, exist_ok=True)
    for package in packages:
        if not (root / package.name).is_dir():
            log.info("fetching %s", package.name)
            _fetch_one(package, root)


def _fetch_one(package: Package, root: Path) -> None:
    with tempfile.TemporaryDirectory(dir=root) as folder:
        here = Path(folder)
        _run(["apt-get", "download", "-qq", package.name], here)
        (deb,) = here.glob(f"{package.name}_*.deb")
        _, version, _ = deb.name.split("_")
        if version.replace("%3a", ":") != package.version:
            log.warning("%s: expected %s, got %s", package.name, package.version, version)
        unpack_package(package, deb, here / "content")
        (here / "content").rename(root / package.name)


def unpack_package(package: Package, deb: Path, content: Path) -> None:
    """Unpack a .deb to `content`, and the archives in it beside themselves.

    Raises:
        FetchError: dpkg does not read it, or it lacks an archive.
        ValueError: an archive of no known kind.
    """
    _run(["dpkg-deb", "--extract", str(deb), str(content)], deb.parent)
    for archive in _archives(package, content):
        unpack(archive)


def _archives(package: Package, content: Path) -> list[Path]:
    """What the globs of a package name."""
    found = []
    for pattern in package.archives:
        matching = sorted(content.glob(pattern))
        if not matching:
            raise FetchError(f"{package.name}: expected a file that matches {pattern}")
        found += matching
    return found


def _run(command: list[str], folder: Path) -> None:
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise FetchError(f"{' '.join(command)}: {ran.stderr.strip() or ran.returncode}")

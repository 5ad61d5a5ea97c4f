"""A Debian package is unpacked together with the archives that its globs name."""

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from benchmarks.world.fetch import FetchError, unpack_package
from benchmarks.world.packages import Package

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")


def make_package(folder: Path) -> Path:
    """A .deb with two zip archives of a bark each."""
    control = folder / "made/DEBIAN/control"
    control.parent.mkdir(parents=True)
    fields = {"Package": "barks", "Version": "1", "Architecture": "all", "Maintainer": "tests"}
    fields["Description"] = "two barks"
    control.write_text("".join(f"{name}: {value}\n" for name, value in fields.items()))
    sounds = folder / "made/usr/share/barks"
    sounds.mkdir(parents=True)
    for name in ("one.zip", "two.zip"):
        with zipfile.ZipFile(sounds / name, "w") as made:
            made.writestr("bark.wav", b"RIFF....WAVE")
    deb = folder / "barks.deb"
    command = ["dpkg-deb", "--root-owner-group", "--build", str(folder / "made"), str(deb)]
    subprocess.run(command, check=True, capture_output=True)
    return deb


def barks(*archives: str) -> Package:
    return Package("barks", "1", "train", "sounds", "barks", "CC0-1.0", "tests", archives=archives)


def test_every_archive_of_a_glob_is_unpacked(tmp_path: Path) -> None:
    content = tmp_path / "content"
    unpack_package(barks("usr/share/barks/*.zip"), make_package(tmp_path), content)
    found = {str(path.relative_to(content)) for path in content.rglob("*.wav")}
    assert found == {f"usr/share/barks/{name}.zip.d/bark.wav" for name in ("one", "two")}


def test_an_archive_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"barks: expected a file that matches usr/\*\.cat"):
        unpack_package(barks("usr/*.cat"), make_package(tmp_path), tmp_path / "content")


def test_no_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.deb").write_text("no package")
    with pytest.raises(FetchError, match=r"text\.deb"):
        unpack_package(barks(), tmp_path / "text.deb", tmp_path / "content")

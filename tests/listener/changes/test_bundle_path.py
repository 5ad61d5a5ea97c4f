"""The path of the bundle: followed, kept inside its directory, pointed back."""

from __future__ import annotations

from pathlib import Path

import pytest

from listener.changes.bundle_path import BundlePath
from listener.detection.bundle import BundleError


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    for name in ("v1", "v2"):
        (folder / name).mkdir(parents=True)
    (folder / "current").symlink_to("v1")
    return folder


def repoint(models: Path, target: str) -> None:
    (models / "current").unlink()
    (models / "current").symlink_to(target)


def test_a_move_is_seen_once(models: Path):
    path = BundlePath(models / "current")
    assert not path.look()
    repoint(models, "v2")
    assert path.look()
    assert not path.look()
    assert path.target() == (models / "v2").resolve()


def test_a_link_that_leads_nowhere_is_not_followed(models: Path):
    path = BundlePath(models / "current")
    repoint(models, "v9")
    assert not path.look()
    repoint(models, "v1")
    assert not path.look()


@pytest.mark.parametrize("target", ["..", "../elsewhere", "/"])
def test_a_link_must_not_lead_out_of_its_directory(models: Path, target: str):
    (models.parent / "elsewhere").mkdir()
    path = BundlePath(models / "current")
    repoint(models, target)
    with pytest.raises(BundleError, match="expected a link to a bundle in"):
        path.target()


def test_a_directory_is_its_own_target(models: Path):
    path = BundlePath(models / "v1")
    assert path.target() == (models / "v1").resolve()
    assert not path.point_to(models / "v2")


def test_a_link_is_pointed_back_and_that_is_no_news(models: Path):
    path = BundlePath(models / "current")
    repoint(models, "v2")
    assert path.look()
    assert path.point_to((models / "v1").resolve())
    assert (models / "current").readlink() == Path("v1")
    assert not path.look()
    assert sorted(file.name for file in models.iterdir()) == ["current", "v1", "v2"]


def test_a_link_that_cannot_be_changed_is_left(models: Path, monkeypatch: pytest.MonkeyPatch):
    path = BundlePath(models / "current")

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "symlink_to", refuse)  # the tests may run as root
    assert not path.point_to(models / "v2")
    assert (models / "current").readlink() == Path("v1")

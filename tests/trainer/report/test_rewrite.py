"""A bundle written anew: whole, or as it was."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from listener.detection.bundle import Bundle, read_bundle
from trainer.errors import TargetError
from trainer.report.rewrite import rewrite_bundle

REPORT = {"index.html": b"<html></html>"}


@pytest.fixture
def bundle(tones_bundle: Bundle, tmp_path: Path) -> Bundle:
    return read_bundle(Path(shutil.copytree(tones_bundle.path, tmp_path / "models" / "tones")))


def content_of(path: Path) -> dict[Path, bytes]:
    return {each: each.read_bytes() for each in sorted(path.rglob("*")) if each.is_file()}


def test_the_report_is_listed_with_its_checksum(bundle: Bundle):
    found = rewrite_bundle(bundle, bundle.manifest, REPORT)
    assert found.path == bundle.path
    assert "report/index.html" in read_bundle(bundle.path).manifest.files
    assert (found.path / "saved_model" / "saved_model.pb").is_file()
    assert [path.name for path in bundle.path.parent.iterdir()] == ["tones"]


def test_an_older_report_goes(bundle: Bundle):
    older = rewrite_bundle(bundle, bundle.manifest, REPORT | {"older.html": b"x"})
    newer = rewrite_bundle(older, older.manifest, REPORT)
    assert sorted(path.name for path in (newer.path / "report").iterdir()) == ["index.html"]


def test_a_link_stays_a_link(bundle: Bundle):
    link = bundle.path.parent / "current"
    link.symlink_to("tones")
    manifest = replace(bundle.manifest, version=7)
    rewrite_bundle(replace(bundle, path=link), manifest)
    assert link.is_symlink()
    assert read_bundle(link).manifest.version == 7


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Longer ones fail as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_bundle_as_it_was(bundle: Bundle):
    before = content_of(bundle.path.parent)
    with files_of_at_most(50_000), pytest.raises(TargetError, match="cannot be written"):
        rewrite_bundle(bundle, bundle.manifest, {"index.html": bytes(60_000)})
    assert content_of(bundle.path.parent) == before
    assert read_bundle(bundle.path).id == "tones@1"


def test_a_folder_that_cannot_be_made_is_named(bundle: Bundle, tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(TargetError, match="file/tones: cannot be written"):
        rewrite_bundle(bundle, bundle.manifest, out=tmp_path / "file" / "tones")

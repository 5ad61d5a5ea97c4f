"""From a handle to the bundle of 521 classes."""

from __future__ import annotations

import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from listener.detection.bundle import Bundle
from listener.detection.params import FeatureParams
from tests.trainer.sections import faults
from trainer.errors import BackboneError, TargetError
from trainer.model.backbones import resolve_handle
from trainer.training.backbone_bundle import make_backbone_bundle


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """A web server on loopback: its address and the folder that it serves."""
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "web"
    folder.mkdir()
    handler = partial(_QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()
        thread.join()


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


def test_yamnets_bundle_has_521_labels_and_says_where_it_comes_from(yamnet_bundle: Bundle):
    manifest = yamnet_bundle.manifest
    assert yamnet_bundle.id == "yamnet@1"
    assert len(yamnet_bundle.labels) == 521
    assert {"dog", "chicken_rooster", "crying_sobbing"} <= set(yamnet_bundle.labels)
    assert manifest.features == FeatureParams()
    assert manifest.activation == "sigmoid"
    assert faults(manifest.provenance) == []
    assert manifest.provenance["licence"] == "Apache-2.0"
    assert manifest.provenance["handle"].endswith("models/yamnet")
    assert manifest.provenance["tflite_score_difference"] < 1e-5
    assert "521 classes of AudioSet" in (yamnet_bundle.path / "card.md").read_text()


def test_a_directory_resolves_to_itself(tmp_path: Path):
    assert resolve_handle(str(tmp_path)) == tmp_path


def test_a_url_is_downloaded_and_unpacked(web: tuple[str, Path], tmp_path: Path):
    address, folder = web
    (tmp_path / "saved_model.pb").write_bytes(b"a graph")
    with tarfile.open(folder / "net.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "saved_model.pb", "saved_model.pb")
    path = resolve_handle(f"{address}/net.tar.gz")
    assert (path / "saved_model.pb").read_bytes() == b"a graph"


@pytest.mark.parametrize("handle", ["no/such/directory", "google/yamnet/1"])
def test_a_handle_that_is_neither_directory_nor_url_is_refused(handle: str):
    with pytest.raises(BackboneError, match="expected a SavedModel directory or a TF Hub URL"):
        resolve_handle(handle)


@pytest.mark.parametrize("name", ["gone.tar.gz", "text.tar.gz"])
def test_a_url_without_an_archive_is_refused(web: tuple[str, Path], name: str):
    address, folder = web
    (folder / "text.tar.gz").write_text("not an archive")
    with pytest.raises(BackboneError, match="TF Hub cannot resolve it"):
        resolve_handle(f"{address}/{name}")


def test_an_unknown_scheme_is_refused():
    with pytest.raises(BackboneError, match="TF Hub cannot resolve it"):
        resolve_handle("nowhere://yamnet")


def test_the_target_is_checked_first(tmp_path: Path):
    with pytest.raises(TargetError, match="found something else"):
        make_backbone_bundle("no/such/directory", tmp_path, FeatureParams())


def test_a_class_map_of_another_length_is_refused(shared: Path, tmp_path: Path):
    net = shared / "models" / "yamnet"
    (tmp_path / "variables").symlink_to(net / "variables")
    (tmp_path / "assets").mkdir()
    lines = (net / "assets" / "yamnet_class_map.csv").read_text().splitlines()
    (tmp_path / "assets" / "yamnet_class_map.csv").write_text("\n".join(lines[:-1]))
    with pytest.raises(BackboneError, match="expected a class map of 521 names, found 520"):
        make_backbone_bundle(str(tmp_path), tmp_path / "bundle", FeatureParams())

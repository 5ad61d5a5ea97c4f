"""AudioSet's classes of noise are found in a bundle by their ids, whatever it calls them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from listener.detection.bundle import Bundle
from tests.bundles import make_manifest
from trainer.evaluation.noise_classes import NOISE_CLASSES, noise_classes_of
from trainer.labels import AUDIOSET_MIDS
from trainer.model.yamnet import read_class_map

WATER, WHITE_NOISE = "/m/0838f", "/m/0chx_"


def bundle_of(tones_bundle: Bundle, *mids: str) -> Bundle:
    manifest = make_manifest(tones_bundle.manifest.features)
    return Bundle(tones_bundle.path, replace(manifest, provenance={AUDIOSET_MIDS: list(mids)}))


def test_a_label_is_what_its_id_says(tones_bundle: Bundle):
    assert noise_classes_of(bundle_of(tones_bundle, WATER, WHITE_NOISE)) == {"high_tone"}


def test_a_label_that_was_added_has_no_id(tones_bundle: Bundle):
    """Its third one is called noise."""
    assert noise_classes_of(bundle_of(tones_bundle, WATER, WATER)) == set()
    assert noise_classes_of(tones_bundle) == set()


def test_the_table_has_audiosets_own_names(shared: Path):
    known = {each.mid: each.name for each in read_class_map(shared / "models" / "yamnet")}
    assert {mid: known[mid] for mid in NOISE_CLASSES} == NOISE_CLASSES

"""A size becomes the config of a station of so many sources, labels and patches a second."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from benchmarks.station_config import config_toml
from benchmarks.station_size import CHOSEN_LABELS, StationSize, choose_labels

BUNDLE_LABELS = [f"label{i}" for i in range(40)] + list(CHOSEN_LABELS)


def test_the_labels_that_people_choose_come_first():
    assert choose_labels(BUNDLE_LABELS, 10) == list(CHOSEN_LABELS)
    assert choose_labels(BUNDLE_LABELS, 12) == [*CHOSEN_LABELS, "label0", "label1"]
    assert sorted(choose_labels(BUNDLE_LABELS, 50)) == sorted(BUNDLE_LABELS)


@pytest.mark.parametrize(("labels", "count"), [(BUNDLE_LABELS, 51), (["dog", "glass"], 2)])
def test_a_bundle_without_such_labels_is_an_error(labels: list[str], count: int):
    with pytest.raises(ValueError, match=f"expected a bundle of {count} labels or more"):
        choose_labels(labels, count)


def test_a_plan_is_the_config_of_its_size():
    minutes = [Path("a.wav"), Path("b.wav")]
    plan = StationSize(3, 11, 0.24).plan(Path("bundle"), BUNDLE_LABELS, minutes)
    config = tomllib.loads(config_toml(plan, mqtt_port=1, http_port=2))
    assert [source["path"] for source in config["sources"]] == ["a.wav", "b.wav", "a.wav"]
    assert config["detection"] == {
        "labels": [*CHOSEN_LABELS, "label0"],
        "patch_hop_seconds": 0.24,
    }


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (StationSize(1, 10), "1 source, 10 labels, hop 0.48 s"),
        (StationSize(64, 521, 0.12), "64 sources, 521 labels, hop 0.12 s"),
    ],
)
def test_a_size_in_words(size: StationSize, words: str):
    assert size.what == words

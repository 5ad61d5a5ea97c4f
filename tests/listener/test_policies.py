"""The bundle's policies with the config's changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from listener.config.engine import DetectionSettings, PolicySettings
from listener.config.station import ConfigError
from listener.detection.bundle import Bundle, Label, Manifest
from listener.detection.labels import LabelGroup
from listener.detection.policy import LabelPolicy
from listener.policies import choose_params, choose_policies

LABELS = (Label("dog_bark", "Dog"), Label("cat", "Cat"), Label("glass", "Glass"))
OWN = LabelPolicy(on_threshold=0.6, off_threshold=0.4, smoothing_seconds=1.44)
BUNDLE = Bundle(
    Path("x"),
    Manifest(
        name="pets",
        version=2,
        created="2026-01-01T00:00:00+00:00",
        labels=LABELS,
        policies={label.slug: OWN for label in LABELS},
    ),
)


PETS = LabelGroup(Label("pets", "Pets"), ("dog_bark", "cat"))


def choose(*groups: LabelGroup, **settings: object) -> dict[str, LabelPolicy]:
    return choose_policies(BUNDLE, DetectionSettings.model_validate(settings), groups)


def test_without_settings_the_bundle_rules():
    assert choose() == {"dog_bark": OWN, "cat": OWN, "glass": OWN}


def test_labels_are_those_asked_for_in_the_order_of_the_scores():
    assert list(choose(labels=("glass", "dog_bark"))) == ["dog_bark", "glass"]


def test_a_labels_own_values_go_over_the_default_ones_and_those_over_the_bundles():
    chosen = choose(
        default_policy=PolicySettings(on_threshold=0.7, max_gap_seconds=2.0),
        policies={"cat": PolicySettings(on_threshold=0.9)},
    )
    assert chosen["dog_bark"] == LabelPolicy(0.7, 0.4, 1.44, 0.0, 2.0)
    assert chosen["cat"] == LabelPolicy(0.9, 0.4, 1.44, 0.0, 2.0)


@pytest.mark.parametrize("where", ["labels", "policies"])
def test_an_unknown_label_is_refused_with_the_nearest_one(where: str):
    values: dict[str, object] = {"labels": ["dog_barc"], "policies": {"dog_barc": PolicySettings()}}
    with pytest.raises(ConfigError) as error:
        choose(**{where: values[where]})
    assert str(error.value) == "detection: pets@2 has no label 'dog_barc'; near to it: dog_bark"


def test_a_label_that_is_near_to_none_is_refused_plainly():
    with pytest.raises(ConfigError, match=r"^detection: pets@2 has no label 'zzz'$"):
        choose(labels=["zzz"])


def test_impossible_thresholds_name_the_label_and_what_came():
    with pytest.raises(ConfigError) as error:
        choose(policies={"cat": PolicySettings(on_threshold=0.2)})
    assert str(error.value) == (
        "detection.policies.cat: off_threshold, on_threshold: "
        "expected 0 < off <= on <= 1, got 0.4 and 0.2"
    )


def test_where_there_are_groups_they_are_looked_for_and_the_labels_that_are_named_beside_them():
    assert choose(PETS) == {"pets": OWN}
    assert list(choose(PETS, labels=["glass", "cat"])) == ["pets", "cat", "glass"]


def test_a_group_takes_the_place_of_the_label_of_its_name():
    cat = LabelGroup(Label("cat", "Cat"), ("dog_bark", "cat"))
    assert list(choose(cat)) == ["cat"]
    assert list(choose(cat, labels=["cat", "glass"])) == ["cat", "glass"]


def test_the_config_speaks_of_a_group_as_of_any_label():
    chosen = choose(
        PETS,
        default_policy=PolicySettings(max_gap_seconds=2.0),
        policies={"pets": PolicySettings(on_threshold=0.9)},
    )
    assert chosen == {"pets": LabelPolicy(0.9, 0.4, 1.44, 0.0, 2.0)}
    with pytest.raises(ConfigError, match=r"no label 'pests'; near to it: pets"):
        choose(PETS, policies={"pests": PolicySettings()})


def test_the_patch_hop_is_the_bundles_or_the_configs():
    assert choose_params(BUNDLE, DetectionSettings()).patch_hop_seconds == 0.48
    assert choose_params(BUNDLE, DetectionSettings(patch_hop_seconds=0.24)).patch_hop_frames == 24


@pytest.mark.parametrize("seconds", [0.005, 0.483, 0.97])
def test_an_impossible_patch_hop_is_refused(seconds: float):
    with pytest.raises(ConfigError) as error:
        choose_params(BUNDLE, DetectionSettings(patch_hop_seconds=seconds))
    assert str(error.value) == (
        f"detection.patch_hop_seconds: expected a multiple of 0.01 up to 0.96, got {seconds}"
    )

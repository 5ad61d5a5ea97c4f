"""The bundle's policies with the config's changes."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from listener.build import plan_station
from listener.config.engine import DetectionSettings, PolicySettings
from listener.config.load import parse_config
from listener.config.station import Config, ConfigError
from listener.detection.bundle import Bundle, Label, Manifest, read_bundle
from listener.detection.labels import LabelGroup
from listener.detection.policy import LabelPolicy
from listener.planning import choose_groups, choose_params, choose_policies, read_label_set
from listener.starter import starter_bundle_path
from tests.listener.sinks.notices import manifest

SETS = ("home", "industrial")


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


OWN_LABEL_CHOICE = LabelPolicy(0.6, 0.4)
LABELS_LABEL_CHOICE = (
    Label("speech", "Speech"),
    Label("dog", "Dog"),
    Label("bark", "Bark"),
    Label("smoke_detector_smoke_alarm", "Smoke detector, smoke alarm"),
    Label("shatter", "Shatter"),
    Label("howl", "Howl"),
)
BUNDLE_LABEL_CHOICE = Bundle(
    Path("none"),
    replace(
        manifest(),
        labels=LABELS_LABEL_CHOICE,
        policies={label.slug: OWN_LABEL_CHOICE for label in LABELS_LABEL_CHOICE},
    ),
)


def config(**tables: Any) -> Config:
    source = {"name": "hall", "kind": "microphone"}
    return parse_config({"bundle": "none", "sources": [source], **tables}, "c.toml")


def chosen(**tables: Any) -> dict[str, tuple[str, ...]]:
    return {
        group.label.slug: group.members
        for group in choose_groups(BUNDLE_LABEL_CHOICE, config(**tables))
    }


def test_members_are_names_or_slugs_in_any_case():
    labels = {"pet": ["bark", "DOG", "Howl"], "fire": "Smoke detector, Smoke alarm"}
    assert chosen(labels=labels) == {
        "pet": ("bark", "dog", "howl"),
        "fire": ("smoke_detector_smoke_alarm",),
    }


def test_a_member_named_twice_is_one_member():
    assert chosen(labels={"pet": ["Dog", "dog", "DOG"]}) == {"pet": ("dog",)}


def test_a_group_is_named_after_its_slug_or_as_a_person_names_it():
    labels = {"front_door": "Dog", "hund": {"name": "Hündin", "members": ["Dog", "Bark"]}}
    names = [
        group.label.name for group in choose_groups(BUNDLE_LABEL_CHOICE, config(labels=labels))
    ]
    assert names == ["Front door", "Hündin"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            {"pet": ["Dog", "Brak"]},
            "labels.pet: home-alarms@3 has no label 'Brak'; near to it: Bark",
        ),
        (
            {"fire": ["smoke alarm"]},
            "labels.fire: home-alarms@3 has no label 'smoke alarm'; "
            "near to it: Smoke detector, smoke alarm",
        ),
        ({"pet": ["Quxx"]}, "labels.pet: home-alarms@3 has no label 'Quxx'"),
        ({"pet": []}, "labels.pet: expected at least one label of the bundle, got none"),
    ],
)
def test_what_the_bundle_has_not_is_an_error_with_the_nearest(labels: Any, message: str):
    with pytest.raises(ConfigError) as error:
        chosen(labels=labels)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("labels", "where"),
    [
        ({"Dog!": ["Dog"]}, "labels.Dog!"),
        ({"dog": 3}, "labels.dog.members"),
        ({"dog": [3]}, "labels.dog.members.0"),
        ({"dog": {"members": ["Dog"], "nmae": "x"}}, "labels.dog.nmae: unknown key"),
        ({"dog": {"name": "Dog"}}, "labels.dog.members"),
    ],
)
def test_a_group_of_another_form_is_refused_by_its_key(labels: Any, where: str):
    with pytest.raises(ConfigError, match=r"^c.toml: " + where):
        config(labels=labels)


# --- ready sets -----------------------------------------------------------------------------------------


def test_of_a_set_a_bundle_takes_what_it_has_and_says_what_it_has_not(
    caplog: pytest.LogCaptureFixture,
):
    with caplog.at_level(logging.WARNING):
        assert chosen(label_set="home") == {
            "alarms": ("smoke_detector_smoke_alarm",),
            "glass": ("shatter",),
            "voices": ("speech",),
            "pets": ("dog", "bark", "howl"),
        }
    assert [record.message for record in caplog.records] == [
        "label_set home: home-alarms@3 has no sound of the group water",
        "label_set home: home-alarms@3 has no sound of the group vehicles",
    ]


def test_a_person_goes_over_the_set_and_leaves_groups_out():
    labels = {"pets": ["Dog"], "voices": [], "water": [], "vehicles": []}
    assert chosen(label_set="home", labels=labels) == {
        "alarms": ("smoke_detector_smoke_alarm",),
        "glass": ("shatter",),
        "pets": ("dog",),
    }


def test_a_set_of_which_the_bundle_has_nothing_is_refused():
    labels = (Label("foghorn", "Foghorn"),)
    deaf = Bundle(
        Path("none"), replace(manifest(), labels=labels, policies={"foghorn": OWN_LABEL_CHOICE})
    )
    with pytest.raises(ConfigError, match=r"^label_set: home-alarms@3 has no sound of .* 'home'$"):
        choose_groups(deaf, config(label_set="home"))


@pytest.mark.parametrize("name", SETS)
def test_every_sound_of_a_set_is_one_of_audioset_or_of_the_starter_bundle(
    name: str, yamnet_bundle: Bundle
):
    bundles = (yamnet_bundle, read_bundle(starter_bundle_path()))
    known = {label.name for bundle in bundles for label in bundle.manifest.labels}
    named = [member for members in read_label_set(name).values() for member in members]
    assert set(named) - known == set()


@pytest.mark.parametrize("name", SETS)
def test_no_group_of_a_set_has_a_sound_twice(name: str):
    assert all(len(set(members)) == len(members) for members in read_label_set(name).values())


def test_with_yamnet_the_home_set_is_six_labels(yamnet_bundle: Bundle):
    plan = plan_station(yamnet_bundle, config(label_set="home"))
    assert list(plan.policies) == ["alarms", "glass", "water", "voices", "pets", "vehicles"]


def test_the_starter_bundle_hears_something_of_each_set():
    starter = read_bundle(starter_bundle_path())
    for name in SETS:
        assert choose_groups(starter, config(label_set=name))

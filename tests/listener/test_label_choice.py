"""Groups: what the config and a ready set make of a bundle's labels."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from listener.assembly import plan_station
from listener.config.load import parse_config
from listener.config.station import Config, ConfigError
from listener.detection.bundle import Bundle, Label, read_bundle
from listener.detection.policy import LabelPolicy
from listener.label_choice import choose_groups, read_label_set
from listener.starter import starter_bundle_path
from tests.listener.sinks.notices import manifest

OWN = LabelPolicy(0.6, 0.4)
LABELS = (
    Label("speech", "Speech"),
    Label("dog", "Dog"),
    Label("bark", "Bark"),
    Label("smoke_detector_smoke_alarm", "Smoke detector, smoke alarm"),
    Label("shatter", "Shatter"),
    Label("howl", "Howl"),
)
BUNDLE = Bundle(
    Path("none"),
    replace(manifest(), labels=LABELS, policies={label.slug: OWN for label in LABELS}),
)
SETS = ("home", "industrial")


def config(**tables: Any) -> Config:
    source = {"name": "hall", "kind": "microphone"}
    return parse_config({"bundle": "none", "sources": [source], **tables}, "c.toml")


def chosen(**tables: Any) -> dict[str, tuple[str, ...]]:
    return {group.label.slug: group.members for group in choose_groups(BUNDLE, config(**tables))}


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
    names = [group.label.name for group in choose_groups(BUNDLE, config(labels=labels))]
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
    deaf = Bundle(Path("none"), replace(manifest(), labels=labels, policies={"foghorn": OWN}))
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

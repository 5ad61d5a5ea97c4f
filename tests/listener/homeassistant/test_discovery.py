"""Ids, topics and names are made of slugs; a label's device class follows from its words."""

from __future__ import annotations

import pytest

from listener.homeassistant.discovery import Identity, device_class


@pytest.mark.parametrize(
    ("label", "wanted"),
    [
        ("smoke_alarm", "smoke"),
        ("smoke_detector_smoke_alarm", "smoke"),
        ("fire_alarm", "smoke"),
        ("co_alarm", "carbon_monoxide"),
        ("carbon-monoxide-alarm", "carbon_monoxide"),
        ("gas_leak", "gas"),
        ("water_leak", "moisture"),
        ("leak_alarm", "moisture"),
    ],
)
def test_a_label_for_a_danger_has_its_device_class(label: str, wanted: str):
    assert device_class(label) == wanted


@pytest.mark.parametrize(
    "label",
    ["dog", "car_alarm", "crackling_fire", "fire_engine_siren", "water_tap_faucet", "gasp"],
)
def test_any_other_label_is_a_sound(label: str):
    assert device_class(label) == "sound"


def test_ids_and_topics_are_made_of_the_slugs():
    hall = Identity("farm", "hall")
    assert hall.identifier == "earshot.farm.hall"
    assert hall.unique_id("state_dog") == "earshot.farm.hall.state_dog"
    assert hall.config_topic("homeassistant") == "homeassistant/device/farm/hall/config"
    assert Identity("farm").identifier == "earshot.farm"
    assert Identity("farm").config_topic("ha/x") == "ha/x/device/farm/config"


def test_slugs_that_join_to_the_same_text_stay_apart():
    assert Identity("a_b", "c").identifier != Identity("a", "b_c").identifier
    assert Identity("a_b", "c").config_topic("h") != Identity("a", "b_c").config_topic("h")


def test_names_are_for_people():
    assert Identity("farm", "back_yard-2").name == "Back yard 2"
    assert Identity("farm").name == "Farm"

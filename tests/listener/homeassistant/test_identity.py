"""Ids of devices and entities."""

from __future__ import annotations

from listener.homeassistant.identity import Identity


def test_ids_and_topics_are_made_of_the_slugs():
    hall = Identity("farm", "hall")
    assert hall.identifier == "earshot.farm.hall"
    assert hall.unique_id("state_dog") == "earshot.farm.hall.state_dog"
    assert hall.config_topic("homeassistant") == "homeassistant/device/farm/hall/config"
    assert Identity("farm").identifier == "earshot.farm"
    assert Identity("farm").config_topic("ha/x") == "ha/x/device/farm/config"


def test_slugs_that_join_alike_stay_apart():
    assert Identity("a_b", "c").identifier != Identity("a", "b_c").identifier
    assert Identity("a_b", "c").config_topic("h") != Identity("a", "b_c").config_topic("h")


def test_names_are_for_people():
    assert Identity("farm", "back_yard-2").name == "Back yard 2"
    assert Identity("farm").name == "Farm"

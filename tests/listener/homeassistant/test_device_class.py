"""A label's device class, by the words of its slug."""

from __future__ import annotations

import pytest

from listener.homeassistant.device_class import device_class


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
def test_a_label_that_stands_for_a_danger_has_its_class(label: str, wanted: str):
    assert device_class(label) == wanted


@pytest.mark.parametrize(
    "label",
    ["dog", "car_alarm", "crackling_fire", "fire_engine_siren", "water_tap_faucet", "gasp"],
)
def test_all_else_is_a_sound(label: str):
    assert device_class(label) == "sound"

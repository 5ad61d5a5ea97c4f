"""The labels, policies, groups and clips of a station follow from its bundle and its config."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from listener.config.engine import DetectionSettings, PolicySettings
from listener.config.load import parse_config
from listener.config.station import ClipsSettings, Config, ConfigError
from listener.detection.bundle import Bundle, Label, Manifest, read_bundle
from listener.detection.labels import LabelGroup, read_label_set
from listener.detection.policy import LabelPolicy
from listener.planning import (
    choose_groups,
    choose_params,
    choose_policies,
    make_detection_plan,
    plan_station,
)
from listener.starter import starter_bundle_path
from tests.listener.sinks.notices import manifest

SETS = ("home", "industrial")
POLICY = LabelPolicy(on_threshold=0.6, off_threshold=0.4, smoothing_seconds=1.44)


def bundle_of(manifest: Manifest, *labels: Label) -> Bundle:
    """A bundle of these labels, all with POLICY."""
    policies = {label.slug: POLICY for label in labels}
    return Bundle(Path("none"), replace(manifest, labels=labels, policies=policies))


PETS_BUNDLE = bundle_of(
    replace(manifest(), name="pets", version=2),
    Label("dog_bark", "Dog"),
    Label("cat", "Cat"),
    Label("glass", "Glass"),
)
HOME_BUNDLE = bundle_of(
    manifest(),
    Label("speech", "Speech"),
    Label("dog", "Dog"),
    Label("bark", "Bark"),
    Label("smoke_detector_smoke_alarm", "Smoke detector, smoke alarm"),
    Label("shatter", "Shatter"),
    Label("howl", "Howl"),
)
PETS = LabelGroup(Label("pets", "Pets"), ("dog_bark", "cat"))


def choose(*groups: LabelGroup, **settings: object) -> dict[str, LabelPolicy]:
    return choose_policies(PETS_BUNDLE, DetectionSettings.model_validate(settings), groups)


def test_without_settings_the_policies_are_the_bundles():
    assert choose() == {"dog_bark": POLICY, "cat": POLICY, "glass": POLICY}


def test_the_chosen_labels_keep_the_order_of_the_scores():
    assert list(choose(labels=("glass", "dog_bark"))) == ["dog_bark", "glass"]


def test_a_labels_own_values_outrank_the_default_ones_and_those_the_bundles():
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


def test_an_unknown_label_near_to_none_is_refused_without_a_hint():
    with pytest.raises(ConfigError, match=r"^detection: pets@2 has no label 'zzz'$"):
        choose(labels=["zzz"])


def test_impossible_thresholds_name_the_label_and_the_values():
    with pytest.raises(ConfigError) as error:
        choose(policies={"cat": PolicySettings(on_threshold=0.2)})
    assert str(error.value) == (
        "detection.policies.cat: off_threshold, on_threshold: "
        "expected 0 < off <= on <= 1, got 0.4 and 0.2"
    )


def test_with_groups_only_they_and_the_chosen_labels_make_events():
    assert choose(PETS) == {"pets": POLICY}
    assert list(choose(PETS, labels=["glass", "cat"])) == ["pets", "cat", "glass"]


def test_a_group_replaces_the_label_with_its_slug():
    cat = LabelGroup(Label("cat", "Cat"), ("dog_bark", "cat"))
    assert list(choose(cat)) == ["cat"]
    assert list(choose(cat, labels=["cat", "glass"])) == ["cat", "glass"]


def test_settings_apply_to_a_group_as_to_any_label():
    chosen = choose(
        PETS,
        default_policy=PolicySettings(max_gap_seconds=2.0),
        policies={"pets": PolicySettings(on_threshold=0.9)},
    )
    assert chosen == {"pets": LabelPolicy(0.9, 0.4, 1.44, 0.0, 2.0)}
    with pytest.raises(ConfigError, match=r"no label 'pests'; near to it: pets"):
        choose(PETS, policies={"pests": PolicySettings()})


def test_the_patch_hop_is_the_bundles_or_the_configs():
    assert choose_params(PETS_BUNDLE, DetectionSettings()).patch_hop_seconds == 0.48
    assert (
        choose_params(PETS_BUNDLE, DetectionSettings(patch_hop_seconds=0.24)).patch_hop_frames == 24
    )


@pytest.mark.parametrize("seconds", [0.005, 0.483, 0.97])
def test_an_impossible_patch_hop_is_refused(seconds: float):
    with pytest.raises(ConfigError) as error:
        choose_params(PETS_BUNDLE, DetectionSettings(patch_hop_seconds=seconds))
    assert str(error.value) == (
        f"detection.patch_hop_seconds: expected a multiple of 0.01 up to 0.96, got {seconds}"
    )


def config(**tables: Any) -> Config:
    source = {"name": "hall", "kind": "microphone"}
    return parse_config({"bundle": "none", "sources": [source], **tables}, "c.toml")


def chosen(**tables: Any) -> dict[str, tuple[str, ...]]:
    return {
        group.label.slug: group.members for group in choose_groups(HOME_BUNDLE, config(**tables))
    }


def test_members_are_names_or_slugs_in_any_case():
    labels = {"pet": ["bark", "DOG", "Howl"], "fire": "Smoke detector, Smoke alarm"}
    assert chosen(labels=labels) == {
        "pet": ("bark", "dog", "howl"),
        "fire": ("smoke_detector_smoke_alarm",),
    }


def test_a_member_named_twice_counts_once():
    assert chosen(labels={"pet": ["Dog", "dog", "DOG"]}) == {"pet": ("dog",)}


def test_a_group_is_named_after_its_slug_or_by_the_config():
    labels = {"front_door": "Dog", "hund": {"name": "Hündin", "members": ["Dog", "Bark"]}}
    names = [group.label.name for group in choose_groups(HOME_BUNDLE, config(labels=labels))]
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
def test_an_unknown_member_is_an_error_with_the_nearest_label(labels: Any, message: str):
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
def test_a_malformed_group_is_refused_with_its_key(labels: Any, where: str):
    with pytest.raises(ConfigError, match=r"^c.toml: " + where):
        config(labels=labels)


def test_groups_of_a_set_without_a_sound_of_the_bundle_are_left_out_and_logged(
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


def test_the_config_replaces_groups_of_the_set_or_leaves_them_out():
    labels = {"pets": ["Dog"], "voices": [], "water": [], "vehicles": []}
    assert chosen(label_set="home", labels=labels) == {
        "alarms": ("smoke_detector_smoke_alarm",),
        "glass": ("shatter",),
        "pets": ("dog",),
    }


def test_a_set_without_a_sound_of_the_bundle_is_refused():
    bundle = bundle_of(manifest(), Label("foghorn", "Foghorn"))
    with pytest.raises(ConfigError, match=r"^label_set: home-alarms@3 has no sound of .* 'home'$"):
        choose_groups(bundle, config(label_set="home"))


@pytest.mark.parametrize("name", SETS)
def test_every_sound_of_a_set_is_in_audioset_or_in_the_starter_bundle(
    name: str, yamnet_bundle: Bundle
):
    bundles = (yamnet_bundle, read_bundle(starter_bundle_path()))
    known = {label.name for bundle in bundles for label in bundle.manifest.labels}
    named = [member for members in read_label_set(name).values() for member in members]
    assert set(named) - known == set()


@pytest.mark.parametrize("name", SETS)
def test_no_group_of_a_set_names_a_sound_twice(name: str):
    assert all(len(set(members)) == len(members) for members in read_label_set(name).values())


def test_with_yamnet_the_home_set_gives_six_labels(yamnet_bundle: Bundle):
    plan = plan_station(yamnet_bundle, config(label_set="home"))
    assert list(plan.policies) == ["alarms", "glass", "water", "voices", "pets", "vehicles"]


def test_the_starter_bundle_knows_a_sound_of_each_set():
    starter = read_bundle(starter_bundle_path())
    for name in SETS:
        assert choose_groups(starter, config(label_set=name))


@pytest.fixture
def bundle() -> Bundle:
    off_thresholds = {"dog": 0.125, "speech": 0.25, "glass": 0.375, "conversation": 0.5}
    names = tuple(Label(slug, slug.title()) for slug in off_thresholds)
    policies = {slug: LabelPolicy(0.75, off) for slug, off in off_thresholds.items()}
    return Bundle(Path("none"), replace(manifest(), labels=names, policies=policies))


def kept(
    bundle: Bundle, detection: DetectionSettings, *groups: LabelGroup, **changes: object
) -> tuple[set[str], dict[str, float]]:
    """The labels whose clips are kept, and the threshold of each private one."""
    settings = ClipsSettings.model_validate({"enabled": True} | changes)
    plan = make_detection_plan(bundle, detection, "farm", settings, groups).clips
    assert plan is not None
    private = [bundle.labels[column] for column in plan.private.columns]
    thresholds = dict(zip(private, plan.private.thresholds.tolist(), strict=True))
    return set(plan.extraction.labels), thresholds


def test_clips_of_speech_are_never_kept_whether_or_not_it_makes_events(bundle: Bundle):
    private = {"speech": 0.25, "conversation": 0.5}
    assert kept(bundle, DetectionSettings()) == ({"dog", "glass"}, private)
    assert kept(bundle, DetectionSettings(labels=("dog",))) == ({"dog"}, private)


def test_the_config_may_add_private_labels_and_allow_speech(bundle: Bundle):
    both = {"private_labels": ("glass",)}
    assert kept(bundle, DetectionSettings(), **both)[0] == {"dog"}
    assert kept(bundle, DetectionSettings(), **both, keep_speech=True) == (
        {"dog", "speech", "conversation"},
        {"glass": 0.375},
    )


def kept_of_groups(
    bundle: Bundle, off_threshold: float | None = None, **changes: object
) -> tuple[set[str], dict[str, float]]:
    """As `kept`, with a group that contains speech, and one of a dog and of glass."""
    groups = (
        LabelGroup(Label("someone", "Someone"), ("dog", "speech")),
        LabelGroup(Label("intruder", "Intruder"), ("dog", "glass")),
    )
    policies = {"someone": PolicySettings(off_threshold=off_threshold)}
    return kept(bundle, DetectionSettings(policies=policies), *groups, **changes)


def test_clips_of_a_group_with_speech_are_never_kept(bundle: Bundle):
    # the group closes at the dog's 0.125, so speech counts from there on
    assert kept_of_groups(bundle) == ({"intruder"}, {"speech": 0.125, "conversation": 0.5})
    assert kept_of_groups(bundle, keep_speech=True) == ({"someone", "intruder"}, {})


def test_a_less_alert_group_makes_speech_no_less_private(bundle: Bundle):
    assert kept_of_groups(bundle, 0.75)[1] == {"speech": 0.25, "conversation": 0.5}


def test_a_private_group_makes_its_members_private(bundle: Bundle):
    labels, thresholds = kept_of_groups(bundle, private_labels=("intruder",), keep_speech=True)
    assert (labels, set(thresholds)) == (set(), {"dog", "glass"})


def test_an_unknown_private_label_is_refused(bundle: Bundle):
    with pytest.raises(
        ConfigError, match=r"clips.private_labels: home-alarms@3 has no label 'dgo'"
    ):
        kept(bundle, DetectionSettings(), private_labels=("dgo",))


@pytest.mark.parametrize("enabled", [True, False])
def test_member_scores_are_those_of_the_groups_in_their_order(bundle: Bundle, enabled: bool):
    """Glass makes events of its own beside them; a dog is a member twice."""
    groups = (
        LabelGroup(Label("intruder", "Intruder"), ("glass", "dog")),
        LabelGroup(Label("pet", "Pet"), ("dog",)),
    )
    detection, clips = DetectionSettings(labels=("glass",)), ClipsSettings(enabled=enabled)
    plan = make_detection_plan(bundle, detection, "farm", clips, groups)
    dog, speech, glass, conversation = 0.1, 0.2, 0.3, 0.4
    scores = np.array([[dog, speech, glass, conversation]], np.float32)
    wanted = np.array([[glass, dog, dog]], np.float32)[:, : 3 * enabled]
    np.testing.assert_array_equal(plan.member_scores(scores), wanted)


def test_without_clips_there_is_no_clip_plan(bundle: Bundle):
    for settings in (None, ClipsSettings()):
        plan = make_detection_plan(bundle, DetectionSettings(), "farm", settings)
        assert plan.clips is None

"""Which clips are kept follows from the config, and from what the bundle knows of people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from listener.assembly import make_detection_plan, plan_source
from listener.config.engine import DetectionSettings, PolicySettings
from listener.config.sources import FileSettings, MicrophoneSettings, StreamSettings
from listener.config.station import ClipsSettings, ConfigError
from listener.detection.bundle import Bundle, Label
from listener.detection.labels import LabelGroup
from listener.detection.policy import LabelPolicy
from tests.listener.sinks.notices import manifest

LABELS = ("dog", "speech", "glass", "conversation")


@pytest.fixture
def bundle() -> Bundle:
    names = tuple(Label(slug, slug.title()) for slug in LABELS)
    thresholds = zip(LABELS, (0.125, 0.25, 0.375, 0.5), strict=True)
    policies = {slug: LabelPolicy(0.75, off_threshold) for slug, off_threshold in thresholds}
    return Bundle(Path("none"), replace(manifest(), labels=names, policies=policies))


def kept(bundle: Bundle, *looked_for: str, **changes: object) -> tuple[set[str], dict[str, float]]:
    """The labels of which clips are kept, and the threshold of each that is private."""
    settings = ClipsSettings.model_validate({"enabled": True} | changes)
    detection = DetectionSettings(labels=looked_for)
    plan = make_detection_plan(bundle, detection, "farm", settings).clips
    assert plan is not None
    labels = [bundle.labels[column] for column in plan.private.columns]
    thresholds = dict(zip(labels, plan.private.thresholds.tolist(), strict=True))
    return set(plan.cutting.labels), thresholds


def test_nothing_is_kept_of_speech_whether_or_not_it_is_looked_for(bundle: Bundle):
    private = {"speech": 0.25, "conversation": 0.5}
    assert kept(bundle) == ({"dog", "glass"}, private)
    assert kept(bundle, "dog") == ({"dog"}, private)


def test_a_person_may_add_labels_and_allow_speech(bundle: Bundle):
    both = {"private_labels": ("glass",)}
    assert kept(bundle, **both)[0] == {"dog"}
    assert kept(bundle, **both, keep_speech=True) == (
        {"dog", "speech", "conversation"},
        {"glass": 0.375},
    )


def of_groups(
    bundle: Bundle, off_threshold: float | None = None, **changes: object
) -> tuple[set[str], dict[str, float]]:
    """As `kept`, with a group that people may be heard in, and one of a dog and of glass."""
    groups = (
        LabelGroup(Label("someone", "Someone"), ("dog", "speech")),
        LabelGroup(Label("intruder", "Intruder"), ("dog", "glass")),
    )
    settings = ClipsSettings.model_validate({"enabled": True} | changes)
    policies = {"someone": PolicySettings(off_threshold=off_threshold)}
    detection = DetectionSettings(policies=policies)
    plan = make_detection_plan(bundle, detection, "farm", settings, groups).clips
    assert plan is not None
    labels = [bundle.labels[column] for column in plan.private.columns]
    thresholds = dict(zip(labels, plan.private.thresholds.tolist(), strict=True))
    return set(plan.cutting.labels), thresholds


def test_nothing_is_kept_of_a_group_with_speech_in_it(bundle: Bundle):
    # the group closes at the dog's 0.125, and so is speech in it heard from there on
    assert of_groups(bundle) == ({"intruder"}, {"speech": 0.125, "conversation": 0.5})
    assert of_groups(bundle, keep_speech=True) == ({"someone", "intruder"}, {})


def test_a_less_alert_group_makes_speech_no_less_private(bundle: Bundle):
    assert of_groups(bundle, 0.75)[1] == {"speech": 0.25, "conversation": 0.5}


def test_a_private_group_makes_its_members_private(bundle: Bundle):
    labels, thresholds = of_groups(bundle, private_labels=("intruder",), keep_speech=True)
    assert (labels, set(thresholds)) == (set(), {"dog", "glass"})


def test_a_private_label_that_the_bundle_has_not_is_no_private_label(bundle: Bundle):
    with pytest.raises(
        ConfigError, match=r"clips.private_labels: home-alarms@3 has no label 'dgo'"
    ):
        kept(bundle, private_labels=("dgo",))


@pytest.mark.parametrize("enabled", [True, False])
def test_clips_are_told_of_the_members_of_groups_in_their_order(bundle: Bundle, enabled: bool):
    """Glass is looked for beside them, and is no member; a dog is a member twice."""
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


def test_nothing_is_cut_where_no_clips_are_kept(bundle: Bundle):
    for settings in (None, ClipsSettings()):
        plan = make_detection_plan(bundle, DetectionSettings(), "farm", settings)
        assert plan.clips is None


def test_a_microphone_is_tried_again_soon_however_long_it_was_away():
    microphone = plan_source(MicrophoneSettings(name="a", kind="microphone"))
    stream = plan_source(StreamSettings(name="b", kind="stream", url="http://127.0.0.1/"))
    assert (microphone.restarts, stream.restarts) == (True, True)
    # with half a second to open it and 0.975 s until its first patch, it is back within 5 s
    assert microphone.rest_limit_seconds <= 3.0
    assert stream.rest_limit_seconds > 30.0


def test_a_file_that_is_lost_is_not_tried_again():
    assert not plan_source(FileSettings(name="a", kind="file", path=Path("a.wav"))).restarts

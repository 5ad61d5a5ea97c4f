"""Which clips are kept follows from the config, and from what the bundle knows of people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from listener.assembly import make_detection_plan
from listener.config import ClipsSettings, ConfigError, DetectionSettings
from listener.detection.bundle import Bundle, Label
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


def test_a_private_label_that_the_bundle_has_not_is_no_private_label(bundle: Bundle):
    with pytest.raises(
        ConfigError, match=r"clips.private_labels: home-alarms@3 has no label 'dgo'"
    ):
        kept(bundle, private_labels=("dgo",))


def test_nothing_is_cut_where_no_clips_are_kept(bundle: Bundle):
    for settings in (None, ClipsSettings()):
        plan = make_detection_plan(bundle, DetectionSettings(), "farm", settings)
        assert plan.clips is None

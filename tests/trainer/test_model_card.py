"""The card says what the manifest knows, and no more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from listener.detection.bundle import Manifest
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy
from tests.bundles import make_manifest
from trainer.model_card import make_card
from trainer.provenance import to_document
from trainer.quantisation.convert import QuantisationRecord
from trainer.quantisation.measure import QuantisedFigures
from trainer.report.evaluation import Evaluated

TAUGHT: dict[str, Any] = {
    "lesson": {},
    "clips": 12,
    "backbone": "models/yamnet",
    "data": ["clips"],
    "licences": {"clips": "CC BY 3.0 (LICENSE.md)"},
    "folds": [1, 2, 3],
    "validation_fold": 3,
    "validation": "accuracy 97.0 %",
    "left_out": ["a.wav: empty"],
}


def manifest_with(provenance: dict[str, Any]) -> Manifest:
    return replace(make_manifest(FeatureParams()), provenance=provenance)


def test_what_trainer_fit_made():
    card = make_card(manifest_with(TAUGHT))
    assert card.startswith("# tones\n\n3 classes, learnt by `trainer fit` from 12 clips")
    for part in (
        "- `clips`; licence: CC BY 3.0 (LICENSE.md).",
        "- Folds: 1, 2, 3; fold 3 decided when to stop.",
        "Left out as unusable: 1.",
        "Not evaluated with these policies",
        "The thresholds are not calibrated",
        "| low_tone, high_tone, noise | 0.5 | 0.3 | 1.44 | 0 | 0 |",
    ):
        assert part in card
    assert "A figure not to believe" not in card


def test_the_leaky_figure_is_a_warning():
    leak = {"by_recording": 0.92, "shuffled": 0.939, "patches": 3611, "folds": 5}
    card = make_card(manifest_with(TAUGHT | {"leak": leak}))
    assert "## A figure not to believe" in card
    assert "92.0 % are recognised when whole recordings are kept out" in card
    assert "the same head gets 93.9 %: +1.9 points of leak" in card


def test_an_evaluation_with_its_limits(evaluated: Evaluated):
    found = evaluated.context.summary()
    card = make_card(manifest_with(TAUGHT | {"evaluation": found}))
    assert "| accuracy | 88.9 % of 9 clips |" in card
    assert "| high_tone | 5 | 100.0 % | 80.0 % | 88.9 % |" in card
    assert "It learnt from none of these clips." in card
    assert "Under 20 clips, so the figure is a guess: low_tone, high_tone." in card
    assert "No ambient audio was given" not in card
    seen = make_card(manifest_with(TAUGHT | {"evaluation": found | {"seen": True}}))
    assert "the figures are too good" in seen


@pytest.mark.parametrize("claimed", [True, False])
def test_a_calibration_with_its_remarks(claimed: bool):
    found = {"false_alarms_per_day": 2.0, "remarks": ["one", "two"], "claimed": claimed}
    card = make_card(manifest_with({"calibration": found}))
    assert "at most 2 false alarms a day of all labels together.\n\n- one\n- two\n" in card
    assert ("The budget of false alarms cannot be claimed" in card) is not claimed


def test_labels_of_one_policy_share_a_row():
    manifest = manifest_with({})
    policies = manifest.policies | {"noise": LabelPolicy(0.9, 0.8, 0.0, 0.5, 1.0)}
    card = make_card(replace(manifest, policies=policies))
    assert "| low_tone, high_tone | 0.5 | 0.3 |" in card
    assert "| noise | 0.9 | 0.8 | 0 | 0.5 | 1 |" in card


def test_a_card_that_others_wrote_is_kept_word_for_word():
    written = '# Starter\n\nRecordings by Ada & <Bo>, "CC BY 3.0".'
    card = make_card(manifest_with({"data": "ESC-10", "introduction": f"{written}\n"}))
    assert card.startswith(f"{written}\n\n## Classes\n")


def test_a_form_of_the_model_says_what_is_lost_and_gained():
    int8 = QuantisedFigures("int8", 3_500_000, 2.654, 0.861, None, 8.33, None, 0.001)
    tried = to_document(QuantisationRecord(("sounds", "more"), 72, 16, (int8,)))
    card = make_card(manifest_with({"forms": tried, "storage": "float32"}))
    assert "## Forms of the model\n\nThis bundle holds float32." in card
    assert "on 72 clips of sounds, more that the bundle had not seen" in card
    assert (
        "| int8 | 3.50 | 2.65 | 86.1 % | 8.33 | unknown | unknown "
        "| no: loses 8.33 points of clip accuracy, at most 0.5 are allowed |\n\n"
    ) in card


def test_where_nothing_was_tried_there_is_nothing_to_say():
    card = make_card(manifest_with({}))
    for heading in ("Learnt from", "Forms of the model", "A figure not to believe", "people"):
        assert heading not in card


RETRAINED: dict[str, Any] = {
    "base": "tones@1",
    "clips": "/clips",
    "verdicts": 7,
    "ambient": 3,
    "rehearsal": "its own data",
    "new_labels": ["owl"],
    "certificate": {
        "clips": 9,
        "labels": [
            {
                "label": "dog",
                "clips": 5,
                "f1_before": 0.5,
                "f1_after": None,
                "average_precision_before": 0.25,
                "average_precision_after": 1.0,
                "lost_points": 50.0,
            }
        ],
        "most_loss": 0.5,
        "kept": [{"label": "owl", "clips": 3, "learnt": True}],
        "asked": ["dog"],
        "lost": [],
    },
    "doubts": [{"clip": "01J", "path": "x", "label": "dog", "said_there": True, "score": 0.03}],
    "false_alarms_per_day": 1.0,
    "raised": {"dog": [0.5, 0.7345]},
    "alarms": {"alarms": 1, "hours": 2.0, "at_most_per_day": 56.93},
}


def test_what_was_learnt_from_people():
    card = make_card(manifest_with({"retraining": RETRAINED}))
    for part in (
        "with 7 verdicts and 3 ambient clips of `/clips`; old classes were kept with its own data.",
        " Added: owl.",
        "In 2.00 h of ambient clips 1 alarms are left: at most 56.9 a day (95 %), for a budget of 1.",
        "\n- dog: on at 0.735 instead of 0.5.\n",
        "of those that the station listens for, dog, none lost more than 0.5 points of F1.",
        "| dog | 5 | 50.0 % | unknown | 25.0 % | 100.0 % |",
        "Later bundles are checked with 3 clips of owl, which this one learnt from.",
        "- 01J: dog is said to be there, the other verdicts give it 0.03.",
    ):
        assert part in card


def test_what_an_older_version_wrote_of_a_retraining():
    """It named neither required labels nor clips that later bundles are checked with."""
    older = {k: v for k, v in RETRAINED["certificate"].items() if k not in {"kept", "asked"}}
    known = RETRAINED | {"certificate": older, "doubts": [], "alarms": None, "raised": {}}
    card = make_card(manifest_with({"retraining": known}))
    assert "before and after; no class lost more than 0.5 points of F1." in card
    assert "Without ambient clips nothing is known of false alarms in this room." in card
    assert "Later bundles" not in card
    assert "to review" not in card
    none = RETRAINED | {"certificate": older | {"clips": 0}}
    assert "None: there were no held-out clips" in make_card(manifest_with({"retraining": none}))

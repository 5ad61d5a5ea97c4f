"""The card says what the manifest knows, and no more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from listener.detection.bundle import Manifest
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy
from tests.bundles import make_manifest
from trainer.quantisation.convert import Tried
from trainer.quantisation.measure import QuantisedFigures
from trainer.report.document import summarise
from trainer.report.evaluate import Evaluated
from trainer.report.figures import to_document
from trainer.report.model_card import FORMS, STORAGE, forms, make_card, with_introduction

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
        "- Folds: 1, 2, 3; fold 3 told when to stop.",
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
    assert "92.0 % are told apart when whole recordings are kept out" in card
    assert "the same head gets 93.9 %: +1.9 points of leak" in card


def test_an_evaluation_with_its_limits(evaluated: Evaluated):
    found = summarise(evaluated.matter.evaluation, evaluated.matter.occasion)
    card = make_card(manifest_with(TAUGHT | {"evaluation": found}))
    assert "| accuracy | 88.9 % of 9 clips |" in card
    assert "| high_tone | 5 | 100.0 % | 80.0 % | 88.9 % |" in card
    assert "It learnt from none of these clips." in card
    assert "Under 20 clips, so that a figure is a guess: low_tone, high_tone." in card
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
    written = "# Starter\n\nRecordings by Ada, CC BY 3.0.\n"
    known = with_introduction({"data": "ESC-10"}, written)
    assert with_introduction(known, "another") == known
    assert make_card(manifest_with(known)).startswith(written)
    assert with_introduction(TAUGHT, written) == TAUGHT


MANIFEST = make_manifest(FeatureParams())
INT8 = QuantisedFigures("int8", 3_500_000, 2.654, 0.861, None, 8.33, None, 0.001)


def test_a_row_says_what_is_lost_and_gained():
    tried = Tried(("sounds", "more"), 72, 16, (INT8,))
    known = {FORMS: to_document(tried), STORAGE: "float32"}
    text = forms(replace(MANIFEST, provenance=known))
    assert text.startswith("## Forms of the model\n\nThis bundle holds float32.")
    assert "on 72 clips of sounds, more that the bundle had not seen" in text
    assert text.splitlines()[-1] == (
        "| int8 | 3.50 | 2.65 | 86.1 % | 8.33 | unknown | unknown "
        "| no: loses 8.33 points of clip accuracy, at most 0.5 are borne |"
    )


def test_where_nothing_was_tried_there_is_nothing_to_say():
    assert forms(MANIFEST) == ""

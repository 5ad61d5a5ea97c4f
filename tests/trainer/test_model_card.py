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


STATION: dict[str, Any] = {
    "clips": 40,
    "backgrounds": 10,
    "hours": 0.1,
    "labels": [],
    "sounds": 30,
    "heard": 27,
    "recall": 0.9,
    "false_alarms": {"alarms": 2, "hours": 0.1, "per_hour": 20.0, "at_most_per_day": 1512.0},
}
LINE = "event recall 90.0 % (27 of 30 sounds), 2 false events in 0.10 h: 20 an hour (at most 63, 95 %)."


def test_what_the_station_would_do_is_the_first_line(evaluated: Evaluated):
    card = make_card(manifest_with(TAUGHT | {"station": STATION}))
    clips = "40 validation clips, by a head that had not been trained on them"
    assert card.startswith(f"# tones\n\n**What the station would do**, on {clips}: {LINE}\n\n3 cl")
    certificate = RETRAINED["certificate"] | {"station": STATION}
    retrained = {"retraining": RETRAINED | {"certificate": certificate}, "introduction": "# Other"}
    card = make_card(manifest_with(retrained))
    assert card.startswith(
        f"# Other\n\n**What the station would do**, on 40 held-out clips: {LINE}"
    )
    judged = TAUGHT | {"station": STATION, "evaluation": evaluated.context.summary()}
    assert "**What the station would do**, on 9 clips of `trainer evaluate`: event recall" in (
        make_card(manifest_with(judged))
    )


def test_events_of_older_policies_are_not_claimed():
    calibration = {"false_alarms_per_day": 2.0, "remarks": [], "claimed": True}
    certificate = RETRAINED["certificate"] | {"station": STATION}
    retraining = RETRAINED | {"certificate": certificate}
    known = {"retraining": retraining, "calibration": calibration}
    assert "What the station would do" not in make_card(manifest_with(known))


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
                "heard_before": 5,
                "heard_after": 4,
                "forgotten": 1,
                "others": 9,
                "wrong_before": 2,
                "wrong_after": 3,
                "newly_wrong": 1,
                "recall_before": 1.0,
                "recall_after": 0.8,
                "recall_interval": [0.376, 0.964],
                "lost_points": 20.0,
                "wrong_points": 11.1,
            }
        ],
        "most_loss": 0.5,
        "kept": [{"label": "owl", "clips": 3, "learnt": True}],
        "asked": ["dog"],
        "lost": [],
        "in_doubt": [{"label": "dog", "clips": 5, "forgotten": 1}],
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
        "of those that the station listens for, dog, none lost more than 0.5 points of event recall "
        "that chance does not explain.",
        "| dog | 5 | 100.0 % | 80.0 % | 38 to 96 | 1 | 9 | 2 | 3 |",
        "Of dog 1 of 5 clips are no longer heard: too few to tell a loss from chance.",
        "Later bundles are checked with 3 clips of owl, which this one learnt from.",
        "- 01J: dog is said to be there, the other verdicts give it 0.03.",
    ):
        assert part in card


def test_what_an_older_version_wrote_of_a_retraining():
    """It judged mean scores, and named neither required labels nor clips for later bundles."""
    later = {"kept", "asked", "in_doubt"}
    older = {k: v for k, v in RETRAINED["certificate"].items() if k not in later}
    older["labels"] = [
        {
            "label": "dog",
            "clips": 5,
            "f1_before": 0.5,
            "f1_after": None,
            "average_precision_before": 0.25,
            "average_precision_after": 1.0,
            "lost_points": 50.0,
        }
    ]
    known = RETRAINED | {"certificate": older, "doubts": [], "alarms": None, "raised": {}}
    card = make_card(manifest_with({"retraining": known}))
    assert "before and after; no class lost more than 0.5 points of F1." in card
    assert "| dog | 5 | 50.0 % | unknown | 25.0 % | 100.0 % |" in card
    assert "Without ambient clips nothing is known of false alarms in this room." in card
    assert "Later bundles" not in card
    assert "to review" not in card
    none = RETRAINED | {"certificate": older | {"clips": 0}}
    assert "None: there were no held-out clips" in make_card(manifest_with({"retraining": none}))

"""What commands write into a bundle's provenance is what the sections say."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from listener.detection.bundle import Bundle, read_bundle
from tests.shared import ROOT
from tests.trainer.sections import faults
from trainer import provenance
from trainer.evaluation.clip_metrics import LabelMetrics
from trainer.evaluation.event_metrics import EventMetrics, EventScore
from trainer.evaluation.false_alarms import AmbientAlarms, NoiseAlarms
from trainer.evaluation.findings import Calibration
from trainer.evaluation.lost_events import LabelRegression
from trainer.evaluation.operating_points import AlarmRate
from trainer.evaluation.scored_clips import ConditionResult
from trainer.evaluation.station_events import LabelEvents, StationEvents
from trainer.model.progress import Epoch
from trainer.provenance import Provenance, to_document, with_introduction, without
from trainer.quantisation.convert import QuantisationRecord
from trainer.quantisation.measure import QuantisedFigures
from trainer.report.evaluation import Evaluated
from trainer.retraining.cross_validation import LabelDoubt
from trainer.retraining.regression_check import RegressionCheck
from trainer.retraining.verdicts import HeldOutLabel
from trainer.retraining.write import RetrainingRecord
from trainer.training.leakage import Leak


@pytest.mark.parametrize(
    ("section", "written"),
    [
        (provenance.AlarmFigures, AlarmRate),
        (provenance.AmbientFigures, AmbientAlarms),
        (provenance.CalibrationSection, Calibration),
        (provenance.CertificateSection, RegressionCheck),
        (provenance.ConditionFigures, ConditionResult),
        (provenance.Doubt, LabelDoubt),
        (provenance.Epoch, Epoch),
        (provenance.EventFigures, EventMetrics),
        (provenance.FormFigures, QuantisedFigures),
        (provenance.FormsSection, QuantisationRecord),
        (provenance.KeptClips, HeldOutLabel),
        (provenance.LabelEventFigures, LabelEvents),
        (provenance.LabelFigures, LabelMetrics),
        (provenance.LeakSection, Leak),
        (provenance.LossFigures, LabelRegression),
        (provenance.MatchFigures, EventScore),
        (provenance.NoiseFigures, NoiseAlarms),
        (provenance.RetrainingSection, RetrainingRecord),
        (provenance.StationFigures, StationEvents),
    ],
    ids=lambda each: each.__name__,
)
def test_a_section_has_the_names_of_what_is_written(section: Any, written: Any):
    properties = [k for k, each in vars(written).items() if isinstance(each, property)]
    assert list(section.__annotations__) == [f.name for f in fields(written)] + properties


def test_an_evaluation_is_what_its_section_says(evaluated: Evaluated):
    known = {"evaluation": evaluated.context.summary()}
    assert faults(known) == []
    assert list(known["evaluation"]) == list(provenance.EvaluationSection.__annotations__)


def test_the_starter_says_what_the_sections_know():
    starter = read_bundle(ROOT / "listener" / "starter" / "bundle")
    assert faults(starter.manifest.provenance) == []


def test_a_key_that_no_section_knows_is_found():
    assert faults({"lessons": {}}) == ["provenance: unknown lessons"]
    assert faults({"clips": "12"}) == ["provenance.clips: expected <class 'int'>, got '12'"]
    leak = {"by_recording": 0.5, "shuffled": 1, "patches": 3}
    assert faults({"leak": leak}) == ["provenance.leak: no folds"]


def test_the_card_of_a_bundle_is_kept_word_for_word(tones_bundle: Bundle, tmp_path: Path):
    written = "# Starter\n\nRecordings by Ada, CC BY 3.0.\n"
    (tmp_path / "card.md").write_text(written)
    known = with_introduction({"data": "ESC-10"}, tmp_path)
    assert known == {"data": "ESC-10", "introduction": written}
    assert with_introduction(known, tones_bundle.path) == known
    assert with_introduction({"lesson": {}}, tmp_path) == {"lesson": {}}
    assert with_introduction({}, tmp_path / "none") == {"introduction": ""}


def test_sections_are_left_out_and_the_others_keep_their_order():
    known: Provenance = {"data": "x", "storage": "float32", "clips": 3}
    assert list(without(known, "storage", "evaluation")) == ["data", "clips"]
    assert list(known) == ["data", "storage", "clips"]


def test_documents_have_fields_and_properties():
    assert to_document({"rate": AlarmRate(3, 1.5), "data": (Path("x"), frozenset("ba"))}) == {
        "rate": {
            "alarms": 3,
            "hours": 1.5,
            "per_hour": 2.0,
            "per_day": 48.0,
            "at_most_per_day": pytest.approx(124.06, abs=0.01),
        },
        "data": ["x", ["a", "b"]],
    }

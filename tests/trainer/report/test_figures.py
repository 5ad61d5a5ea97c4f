"""What goes into the provenance, and how figures read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trainer.report.evaluate import Evaluated
from trainer.report.figures import decimals, describe_run, hours, listed, percent, rate, summarise


def test_the_provenance_gets_figures_and_no_curves(evaluated: Evaluated):
    found = summarise(evaluated.matter.evaluation, evaluated.matter.occasion)
    assert found["clip"]["accuracy"] == pytest.approx(8 / 9)
    assert found["ambient"]["total"]["alarms"] == 1
    assert not {"curves", "examples"} & set(found)
    assert not {"confusion", "reliability"} & set(found["clip"])
    assert json.loads(json.dumps(found)) == found


def test_an_occasion_names_folds_and_licences(tmp_path: Path):
    occasion = describe_run([tmp_path], [2, 1, 2], [], seen=False)
    assert occasion.folds == (1, 2)
    assert occasion.licences == {str(tmp_path): "not stated"}


def test_figures_in_words():
    assert (percent(0.9754), percent(None)) == ("97.5 %", "unknown")
    assert (decimals(0.5), decimals(None)) == ("0.500", "unknown")
    assert (hours(1.5), hours(0.01)) == ("1.50 h", "36 s")
    assert (rate(0.25), rate(71.94), rate(82012.4)) == ("0.25", "71.9", "82012")
    assert (listed([1, 2]), listed("AudioSet")) == ("1, 2", "AudioSet")

"""What goes into the provenance: figures, not curves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trainer.report.document import describe_run, summarise
from trainer.report.evaluate import Evaluated


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

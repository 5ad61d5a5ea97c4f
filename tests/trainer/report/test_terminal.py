"""What the commands say on stderr."""

from __future__ import annotations

import pytest

from listener.detection.policy import LabelPolicy
from trainer.evaluation.calibration import Calibration, LabelFinding
from trainer.evaluation.counts import Counts
from trainer.evaluation.operating_points import AlarmRate, OperatingPoint
from trainer.report.document import summarise
from trainer.report.evaluate import Evaluated
from trainer.report.terminal import show_calibration, show_figures


def test_the_main_figures(evaluated: Evaluated, capsys: pytest.CaptureFixture[str]):
    show_figures(summarise(evaluated.matter.evaluation, evaluated.matter.occasion))
    told = capsys.readouterr()
    assert told.out == ""
    rows = [" ".join(line.split()) for line in told.err.splitlines()]
    assert "accuracy 88.9 % of 9 clips" in rows
    assert "false alarms on ambient audio 1 in 30 s: at most 13662 a day (95 %)" in rows
    assert any(row.startswith("accuracy with blue noise at 0 dB, never seen") for row in rows)


def test_a_calibration_with_its_remarks(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    policy, rate = LabelPolicy(0.8, 0.4), AlarmRate(2, 1.0)
    point = OperatingPoint(policy, Counts(3, 1, 1), rate, within_budget=True)
    findings = (LabelFinding("dog", policy, point, rate), LabelFinding("cat", policy, None, None))
    show_calibration(Calibration({"dog": policy, "cat": policy}, findings, 5.0, rate))
    rows = [" ".join(line.split()) for line in capsys.readouterr().err.splitlines()]
    assert "dog 0.8 0.4 1.44 75.0 % 75.0 % 2" in rows
    assert not any(row.startswith("cat") for row in rows)
    assert any("cat: not heard in the validation audio" in each for each in caplog.messages)

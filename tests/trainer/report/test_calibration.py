"""Calibrated policies in a bundle, and on the terminal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from listener.detection.bundle import Bundle, BundleError, read_bundle
from listener.detection.policy import LabelPolicy
from tests.trainer.sections import faults
from trainer.errors import CalibrationError
from trainer.evaluation.counts import Counts
from trainer.evaluation.findings import BudgetStep, Calibration, LabelFinding
from trainer.evaluation.operating_points import AlarmRate, OperatingPoint
from trainer.report.calibration import show_calibration, write_policies
from trainer.report.rewrite import rewrite_bundle


def calibration(bundle: Bundle) -> Calibration:
    policies = dict.fromkeys(bundle.labels, LabelPolicy(0.8, 0.4))
    rate = AlarmRate(1, 2.0)
    findings = tuple(LabelFinding(label, p, None, rate) for label, p in policies.items())
    return Calibration(policies, findings, 1.0, rate)


def test_policies_go_into_a_bundle_of_the_next_version(tones_bundle: Bundle, tmp_path: Path):
    out = tmp_path / "calibrated"
    write_policies(tones_bundle, calibration(tones_bundle), ["ab12"], out)
    found = read_bundle(out)
    assert found.id == "tones@2"
    assert set(found.manifest.policies.values()) == {LabelPolicy(0.8, 0.4)}
    assert changed_files(tones_bundle, found) == {"card.md"}
    assert found.manifest.provenance["data"] == "none: its weights are set by hand"
    assert faults(found.manifest.provenance) == []
    section = found.manifest.provenance["calibration"]
    assert section["false_alarms_per_day"] == 1.0
    assert section["ambient"]["at_most_per_day"] == pytest.approx(56.9, abs=0.1)
    assert len(section["remarks"]) == 4
    assert found.manifest.provenance["calibration_files"] == ["ab12"]


def changed_files(before: Bundle, after: Bundle) -> set[str]:
    changed = set(before.manifest.files.items()) ^ set(after.manifest.files.items())
    return {name for name, _ in changed}


def test_the_card_says_so_and_keeps_what_it_said(tones_bundle: Bundle, tmp_path: Path):
    out = write_policies(tones_bundle, calibration(tones_bundle), out=tmp_path / "calibrated")
    card = (out.path / "card.md").read_text()
    assert card.startswith("# Tones\n")
    assert "for at most 1 false alarms a day of all labels together" in card
    assert "1 alarms in 2.00 h of ambient audio allow to claim at most 56.9" in card
    again = write_policies(out, calibration(out))
    assert (again.path / "card.md").read_text() == card


def test_figures_of_other_policies_are_dropped(tones_bundle: Bundle, tmp_path: Path):
    report = {"index.html": b"<html></html>"}
    judged = rewrite_bundle(tones_bundle, tones_bundle.manifest, report, tmp_path / "bundle")
    assert (judged.path / "report" / "index.html").is_file()
    known = replace(judged.manifest, provenance={"evaluation": {"clip": {}}})
    found = write_policies(replace(judged, manifest=known), calibration(judged))
    assert "evaluation" not in found.manifest.provenance
    assert not (found.path / "report").exists()


def test_a_bundle_in_its_own_place(tones_bundle: Bundle, tmp_path: Path):
    first = write_policies(tones_bundle, calibration(tones_bundle), out=tmp_path / "bundle")
    second = write_policies(first, replace(calibration(first), false_alarms_per_day=9.0))
    assert second.path == first.path
    assert read_bundle(first.path).id == "tones@3"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_deaf_label_is_not_written(tones_bundle: Bundle, tmp_path: Path):
    policy = LabelPolicy(0.99, 0.4)
    point = OperatingPoint(policy, Counts(4, 0, 94), AlarmRate(0, 24.0), within_budget=True)
    finding = LabelFinding("low_tone", policy, point, point.ambient, Counts(97, 0, 1))
    deaf = replace(calibration(tones_bundle), findings=(finding,), least_recall=0.5)
    message = r"low_tone 4.1 % \(4 of 98 sounds, 97 before; no budget keeps it\)"
    with pytest.raises(CalibrationError, match=message):
        write_policies(tones_bundle, deaf, out=tmp_path / "calibrated")
    assert list(tmp_path.iterdir()) == []
    out = write_policies(tones_bundle, replace(deaf, least_recall=0.0), out=tmp_path / "accepted")
    assert out.id == "tones@2"


def test_something_else_is_not_overwritten(tones_bundle: Bundle, tmp_path: Path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(BundleError, match="found something else"):
        write_policies(tones_bundle, calibration(tones_bundle), out=tmp_path / "photos")


def test_a_calibration_with_its_remarks(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    policy, rate = LabelPolicy(0.8, 0.4), AlarmRate(2, 1.0)
    point = OperatingPoint(policy, Counts(3, 1, 1), rate, within_budget=True)
    steps = (BudgetStep(1.0, 0.9, 0.25, within_budget=False), BudgetStep(5.0, 0.8, 0.75, True))
    dog = LabelFinding("dog", policy, point, rate, Counts(4, 9, 0), steps)
    findings = (dog, LabelFinding("cat", policy, None, None))
    show_calibration(Calibration({"dog": policy, "cat": policy}, findings, 5.0, rate))
    rows = [" ".join(line.split()) for line in capsys.readouterr().err.splitlines()]
    assert "dog 0.8 0.4 1.44 100.0 % 75.0 % 75.0 % 2" in rows
    assert "label 1 a day 5 a day" in rows
    assert "dog 0.9, 25.0 % * 0.8, 75.0 %" in rows
    assert not any(row.startswith("cat") for row in rows)
    assert any("cat: not heard in the validation audio" in each for each in caplog.messages)

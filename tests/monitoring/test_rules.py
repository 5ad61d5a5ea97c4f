"""The alerts are Prometheus's own kind, each fires when it should, and they speak of what is measured."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.listener.sinks.test_metrics import METRICS
from tests.shared import ROOT

FOLDER = ROOT / "monitoring" / "prometheus"
OF_THE_TARGET = {"job", "instance"}  # labels that Prometheus adds


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    return subprocess.run(["promtool", *arguments], check=False, capture_output=True, text=True)


def alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def cases() -> list[dict[str, Any]]:
    tests: list[dict[str, Any]] = yaml.safe_load((FOLDER / "rules_test.yml").read_text())["tests"]
    return tests


def fired(case: dict[str, Any]) -> list[dict[str, str]]:
    """The labels of the alerts that a case expects at its end, after none."""
    quiet, firing = (test["exp_samples"] for test in case["promql_expr_test"])
    assert quiet == []
    return [dict(re.findall(r'(\w+)="([^"]*)"', sample["labels"])) for sample in firing]


def test_promtool_takes_the_rules_and_the_scrape_configuration():
    for checked in (
        promtool("check", "rules", "--lint-fatal", FOLDER / "rules.yml"),
        promtool("check", "config", "--lint-fatal", FOLDER / "scrape.yml"),
        promtool("check", "config", "--lint-fatal", FOLDER / "fleet.yml"),
    ):
        assert checked.returncode == 0, checked.stderr


def test_each_alert_fires_when_it_should_and_only_then():
    tested = promtool("test", "rules", FOLDER / "rules_test.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_a_rule_that_is_wrong_fails_its_case(tmp_path: Path):
    """The control."""
    shutil.copy(FOLDER / "rules_test.yml", tmp_path)
    rules = (FOLDER / "rules.yml").read_text()
    wrong = rules.replace("listener_source_up == 0", "listener_source_up == 2")
    (tmp_path / "rules.yml").write_text(wrong)
    tested = promtool("test", "rules", tmp_path / "rules_test.yml")
    assert tested.returncode == 1
    assert "EarshotSourceOffline" in tested.stdout + tested.stderr


def test_each_alert_has_a_case_and_none_else_fires_in_it():
    assert [[*{labels["alertname"] for labels in fired(case)}] for case in cases()] == [
        [name] for name in alerts()
    ]
    for case in cases():
        assert case["name"].startswith(fired(case)[0]["alertname"] + ": ")


def test_an_alert_says_what_is_wrong_where_and_what_to_do():
    labels_of = {labels["alertname"]: set(labels) for case in cases() for labels in fired(case)}
    for name, rule in alerts().items():
        assert rule["labels"]["severity"] in ("warning", "critical"), name
        assert "for" in rule, name
        texts = rule["annotations"]
        assert set(texts) == {"summary", "description"}, name
        assert "{{ $labels.instance }}" in texts["summary"], name
        spoken_of = set(re.findall(r"\$labels\.(\w+)", " ".join(texts.values())))
        assert spoken_of <= labels_of[name], name


def test_the_rules_use_only_metrics_that_the_station_gives():
    used = set(re.findall(r"\blistener_[a-z_]+", (FOLDER / "rules.yml").read_text()))
    recorded = {"listener_events"}  # the middle of level:metric:operations
    assert used - recorded <= METRICS.keys()


def test_the_cases_are_made_of_series_as_the_station_gives_them():
    for case in cases():
        for given in case["input_series"]:
            name, _, inside = given["series"].partition("{")
            labels = set(re.findall(r"(\w+)=", inside))
            assert labels == METRICS.get(name, set()) | OF_THE_TARGET, given["series"]

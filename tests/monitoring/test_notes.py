"""The page on monitoring names each metric with its labels, and what else it shows is right."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from tests.listener.sinks.test_metrics import METRICS
from tests.shared import ROOT

NOTES = (ROOT / "docs" / "monitoring.md").read_text()
HISTOGRAMS = {name.removesuffix("_bucket") for name in METRICS if name.endswith("_bucket")}
OF_HISTOGRAMS = re.compile(r"_(bucket|count|sum)$")


def measured() -> dict[str, set[str]]:
    """Each metric with its labels, a histogram once."""
    plain = {name: labels for name, labels in METRICS.items() if not OF_HISTOGRAMS.search(name)}
    return plain | {name: set() for name in HISTOGRAMS}


def test_the_table_shows_the_metrics_of_the_station_and_their_labels():
    rows = re.findall(r"^\| `(listener_\w+)` \| ([a-z, ]*) ?\|", NOTES, re.MULTILINE)
    assert {name: set(re.findall(r"\w+", labels)) for name, labels in rows} == measured()


def test_the_example_of_an_alert_uses_what_there_is():
    shown = re.search(r"```yaml\n(.*?)```", NOTES, re.DOTALL)
    assert shown is not None
    names = re.findall(r"listener_\w+", yaml.safe_load(shown[1])[0]["expr"])
    assert set(names) <= METRICS.keys()
    assert names


def test_the_files_that_it_names_are_there():
    for name in re.findall(r"monitoring/[\w/.]+\.\w+", NOTES):
        assert Path(ROOT, name).is_file(), name

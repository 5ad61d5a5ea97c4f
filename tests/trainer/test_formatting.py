"""How figures read, and the templates that show them."""

from __future__ import annotations

import tomllib
from dataclasses import replace

from tests.shared import ROOT
from trainer.evaluation.station_events import LabelEvents, StationEvents
from trainer.formatting import (
    TEMPLATES,
    decimals,
    hours,
    listed,
    main_figures,
    percent,
    rate,
    station_line,
)
from trainer.provenance import to_document
from trainer.report.evaluation import Evaluated


def test_figures_as_text():
    assert (percent(0.9754), percent(None)) == ("97.5 %", "unknown")
    assert (decimals(0.5), decimals(None)) == ("0.500", "unknown")
    assert (hours(1.5), hours(0.01)) == ("1.50 h", "36 s")
    assert (rate(0.25), rate(71.94), rate(82012.4)) == ("0.25", "71.9", "82012")
    assert (listed([1, 2]), listed("AudioSet")) == ("1, 2", "AudioSet")


def test_the_main_figures(evaluated: Evaluated):
    figures = list(main_figures(evaluated.context.summary()))
    assert figures[0][0] == "what the station would do"
    assert figures[0][1].startswith("event recall ")
    rows = dict(figures)
    assert rows["accuracy"] == "88.9 % of 9 clips"
    assert rows["false alarms on ambient audio"] == "1 in 30 s: at most 13662 a day (95 %)"
    assert any(what.startswith("accuracy with blue noise at 0 dB, never seen") for what in rows)


def test_what_was_not_measured_has_no_figure(evaluated: Evaluated):
    summary = evaluated.context.summary()
    summary |= {"ambient": None, "robustness": [], "clip": summary["clip"] | {"accuracy": None}}
    rows = dict(main_figures(summary))
    assert rows["false alarms on ambient audio"] == "not measured"
    assert not [what for what in rows if what == "accuracy" or "noise at" in what]


def test_an_older_evaluation_has_neither_events_nor_background(evaluated: Evaluated):
    summary = evaluated.context.summary()
    del summary["station"]
    summary["clip"] = summary["clip"] | {"backgrounds": 2, "judged": 11}
    assert dict(main_figures(summary))["accuracy"] == "88.9 % of 11 clips, 2 of them background"
    del summary["clip"]["judged"], summary["clip"]["backgrounds"]
    assert next(main_figures(summary)) == ("accuracy", "88.9 % of 9 clips")


def test_what_the_station_would_do_says_how_sure_it_is():
    silent = LabelEvents("dog", clips=0, heard=0, wrong_events=0)
    found = StationEvents(clips=9, backgrounds=9, hours=0.05, labels=(silent,))
    assert station_line(to_document(found)) == (
        "event recall unknown (0 of 0 sounds), 0 false events in 180 s: 0 an hour (at most 59.9, 95 %)"
    )
    unknown = replace(found, hours=0.0)
    assert station_line(to_document(unknown)).endswith("false events: unknown")


def test_templates_are_installed_with_the_package():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packed = settings["tool"]["setuptools"]["package-data"]["trainer"]
    assert set(TEMPLATES.list_templates(["j2"])) == {each for each in packed if "j2" in each}

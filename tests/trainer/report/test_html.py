"""The report: one page that needs nothing else, and the same figures for programs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.trainer.report.pages import PNG, Page, parse
from tests.trainer.report.tones import WRONG
from trainer.report.evaluation import Evaluated
from trainer.report.html import make_report


@pytest.fixture(scope="module")
def page(evaluated: Evaluated) -> Page:
    return parse(evaluated.page.read_text(encoding="utf-8"))


def test_nothing_is_loaded_and_nothing_is_run(page: Page):
    assert all(link.startswith(PNG) for link in page.links)
    assert not page.tags & {"script", "link", "iframe", "object"}


def test_every_picture_is_there_and_says_what_it_shows(page: Page):
    alts = [each.alt for each in page.pictures]
    assert len(set(alts)) == len(alts) == 10
    assert all(len(alt) > 30 for alt in alts)
    for start in ("Confusion matrix: 8 of 9", "Precision over recall", "Reliability", "Loss and"):
        assert any(alt.startswith(start) for alt in alts)
    for each in page.pictures:
        assert min(each.image.size) > 200
        colours = each.image.convert("RGB").getcolors(1_000_000)
        assert colours is None or len(colours) > 10  # drawn on, not empty


def test_right_and_wrong_examples(page: Page):
    captions = [text for text in page.texts if text.startswith(("Right: ", "Wrong: "))]
    assert [text.partition(":")[0] for text in captions] == ["Right", "Right", "Wrong"]
    assert f"Wrong: {WRONG} is high_tone; highest score" in captions[-1]
    assert captions[-1].endswith("for low_tone")


def test_the_figures_in_words(page: Page):
    for part in (
        "88.9 % of 9 clips",
        "Made by arithmetic: CC0 1.0 (LICENSE.txt)",
        "No clip was left out.",
        "whole recordings kept out 90.0 %",
        "patches shuffled over the folds 95.0 %",
        "The thresholds are not calibrated",
        "Do not rely on it for safety",
        "No clip says when its label is heard",
        "blue noise, -5 dB",
        "nothing above accuracy F1 average precision full 88.9 %",
        "3400 Hz 88.9 %",
    ):
        assert part in page.text


def test_false_alarms_with_their_bound(page: Page):
    """One in half a minute is 120 an hour; the 95 % bound of one is 4.74."""
    assert "all 1 120 2880 13662 " in page.text
    assert "white noise -20 dBFS 60 s 1 (noise 1)" in page.text


def test_the_document_holds_the_same_figures(evaluated: Evaluated):
    document = json.loads((evaluated.page.parent / "evaluation.json").read_text())
    assert document["clip"]["accuracy"] == pytest.approx(8 / 9)
    assert document["clip"]["confusion"] == [[4, 0], [1, 4]]
    assert document["folds"] == [1, 2]
    assert document["examples"][-1]["right"] is False
    assert document["seen"] is False


def test_the_provenance_gets_figures_and_no_curves(evaluated: Evaluated):
    found = evaluated.context.summary()
    assert found["clip"]["accuracy"] == pytest.approx(8 / 9)
    assert found["ambient"] is not None
    assert found["ambient"]["total"]["alarms"] == 1
    assert not {"curves", "examples"} & set(found)
    assert not {"confusion", "reliability"} & set(found["clip"])
    assert json.loads(json.dumps(found)) == found


def test_the_same_evaluation_gives_the_same_bytes(evaluated: Evaluated):
    assert make_report(evaluated.context)["index.html"] == evaluated.page.read_bytes()


def test_text_is_escaped(evaluated: Evaluated):
    run = replace(evaluated.context.run, data=("<b>",), licences={"<b>": "A & B"})
    html = make_report(replace(evaluated.context, run=run))["index.html"].decode()
    assert "<b>" not in html
    assert "&lt;b&gt;" in html
    assert "A &amp; B" in html

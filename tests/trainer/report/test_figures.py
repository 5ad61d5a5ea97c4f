"""How figures read."""

from __future__ import annotations

from trainer.report.figures import decimals, hours, listed, percent, rate


def test_figures_in_words():
    assert (percent(0.9754), percent(None)) == ("97.5 %", "unknown")
    assert (decimals(0.5), decimals(None)) == ("0.500", "unknown")
    assert (hours(1.5), hours(0.01)) == ("1.50 h", "36 s")
    assert (rate(0.25), rate(71.94), rate(82012.4)) == ("0.25", "71.9", "82012")
    assert (listed([1, 2]), listed("AudioSet")) == ("1, 2", "AudioSet")

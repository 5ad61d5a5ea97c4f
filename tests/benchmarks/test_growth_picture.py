"""The picture of growth holds every size, and is drawn only beside the part that measures it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.figures import Figure
from benchmarks.growth import COST_UNIT, PART, RATIO_UNIT, SERIES, cost_name, ratio_name
from benchmarks.growth_picture import draw_growth

FIGURES = [
    figure
    for size in dict.fromkeys(size for series in SERIES for size in series.sizes)
    for figure in (
        Figure(PART, cost_name(size), COST_UNIT, (2.0 / size.hop_seconds,)),
        Figure(PART, ratio_name(size), RATIO_UNIT, (1.25,)),
    )
]


def test_the_picture_is_a_png_of_the_figures(tmp_path: Path):
    draw_growth(FIGURES, tmp_path / "growth.png")
    with Image.open(tmp_path / "growth.png") as picture:
        assert picture.format == "PNG"
        assert len(picture.convert("RGB").getcolors(1 << 20) or ()) > 10


def test_the_figures_of_a_size_may_not_be_missing(tmp_path: Path):
    with pytest.raises(KeyError, match="256 sources"):
        draw_growth(
            [figure for figure in FIGURES if "256 sources" not in figure.what], tmp_path / "x.png"
        )


def test_no_picture_without_growth(tmp_path: Path):
    result = CliRunner().invoke(app, ["scale", "--picture", str(tmp_path / "growth.png")])
    assert result.exit_code == 2
    assert "expected the part growth beside it" in result.output
    assert not list(tmp_path.iterdir())

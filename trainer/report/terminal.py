"""What a person sees on the terminal: short tables and remarks on stderr."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from trainer.evaluation.calibration import Calibration, LabelFinding
from trainer.report.figures import main_figures, percent

log = logging.getLogger(__name__)

_WIDTH = 100  # where there is no terminal that has one


def show_figures(summary: Mapping[str, Any]) -> None:
    """The main figures of an evaluation, see `summarise`."""
    show_table(("what", "figure"), main_figures(summary))


def show_calibration(calibration: Calibration) -> None:
    """A row for each label that was heard, then what a person should know before they trust it."""
    heads = ("label", "on", "off", "median, s", "recall", "precision", "ambient alarms")
    show_table(
        heads, (_row(finding) for finding in calibration.findings if finding.point is not None)
    )
    for remark in calibration.remarks:
        log.warning("%s", remark)


def _row(finding: LabelFinding) -> tuple[str, ...]:
    policy, point = finding.policy, finding.point
    found = (None, None) if point is None else (point.counts.recall, point.counts.precision)
    return (
        finding.label,
        f"{policy.on_threshold:.3g}",
        f"{policy.off_threshold:.3g}",
        f"{policy.smoothing_seconds:g}",
        *map(percent, found),
        "none given" if finding.ambient is None else str(finding.ambient.alarms),
    )


def show_table(heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> None:
    """A table on stderr."""
    table = Table(*heads, box=SIMPLE_HEAD)
    for row in rows:
        table.add_row(*row)
    width = None if sys.stderr.isatty() else _WIDTH
    Console(file=sys.stderr, width=width).print(table)

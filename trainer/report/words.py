"""Figures in words, the same in card, report and terminal."""

from __future__ import annotations

UNKNOWN = "unknown"


def percent(share: float | None) -> str:
    """`97.5 %` of 0.975."""
    return UNKNOWN if share is None else f"{100 * share:.1f} %"


def decimals(value: float | None) -> str:
    """`0.875`, three digits after the point."""
    return UNKNOWN if value is None else f"{value:.3f}"


def rate(value: float) -> str:
    """`0.25`, `71.9`, `82012`: three digits, more where the number has more before its point."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"  # noqa: PLR2004


def hours(value: float) -> str:
    """`1.50 h`, or `90 s` where it is less than a tenth of an hour."""
    return f"{value:.2f} h" if value >= 0.1 else f"{value * 3600:.0f} s"  # noqa: PLR2004


def listed(names: object) -> str:
    """Names with commas; what is not a list stays as it is."""
    return ", ".join(map(str, names)) if isinstance(names, list | tuple) else str(names)

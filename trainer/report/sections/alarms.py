"""Events where there should be none."""

from __future__ import annotations

from collections.abc import Mapping

from trainer.evaluation.false_alarms import AmbientAlarms, NoiseAlarms
from trainer.evaluation.operating_points import AlarmRate
from trainer.report.html import paragraph, table, warning
from trainer.report.page import Matter
from trainer.report.words import hours, rate

_NOT_MEASURED = (
    "No ambient audio was given: nothing is known of false alarms in a room. Record hours of it, and "
    "give it as --ambient."
)


def alarms(matter: Matter) -> str:
    """Ambient audio with its Poisson bound, then silence and noise."""
    ambient = matter.evaluation.ambient
    told = warning(_NOT_MEASURED) if ambient is None else _ambient(ambient)
    rows = (_noise_row(each) for each in matter.evaluation.noise)
    return told + table(("generated sound", "level", "length", "events"), rows)


def _ambient(ambient: AmbientAlarms) -> str:
    heads = ("label", "alarms", "an hour", "a day", "a day at most (95 %, Poisson)")
    total = ("all", *_figures(ambient.total))
    rows = [(label, *_figures(each)) for label, each in ambient.labels.items() if each.alarms]
    told = f"{hours(ambient.total.hours)} of ambient audio. Labels without a row raised no alarm."
    return paragraph(told) + table(heads, [total, *rows])


def _figures(counted: AlarmRate) -> tuple[str, ...]:
    numbers = (counted.per_hour, counted.per_day, counted.at_most_per_day)
    return str(counted.alarms), *map(rate, numbers)


def _noise_row(alarms: NoiseAlarms) -> tuple[str, ...]:
    length = f"{alarms.seconds:g} s"
    return alarms.sound, f"{alarms.level_dbfs:g} dBFS", length, _describe(alarms.events)


def _describe(events: Mapping[str, int]) -> str:
    named = ", ".join(f"{label} {count}" for label, count in sorted(events.items()))
    return f"{sum(events.values())} ({named})" if events else "0"

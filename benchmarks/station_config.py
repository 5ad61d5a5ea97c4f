"""The config of a measured station: default settings but for what is named here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

STATION = "bench"


@dataclass(frozen=True, slots=True)
class StationPlan:
    """Bundle, sources and what differs from the defaults.

    `mqtt` holds lines of the [mqtt] table and `detection` whole TOML tables.
    """

    bundle: Path
    sources: tuple[str, ...]
    mqtt: str = ""
    detection: str = ""


def file_sources(paths: Sequence[Path], count: int) -> tuple[str, ...]:
    """`count` sources that play the files in turn, in a loop, at the speed of time."""
    return tuple(
        f"[[sources]]\nname = {json.dumps(f's{i}')}\nkind = 'file'\nat_end = 'restart'\n"
        f"path = {json.dumps(str(paths[i % len(paths)]))}\n"
        for i in range(count)
    )


def microphone_source(device: str) -> str:
    """A source named `s0` that records a device of PortAudio."""
    return f"[[sources]]\nname = 's0'\nkind = 'microphone'\ndevice = {json.dumps(device)}\n"


def config_toml(plan: StationPlan, mqtt_port: int, http_port: int) -> str:
    """The TOML document of a plan."""
    return "\n".join(
        [
            f"station = {json.dumps(STATION)}",
            f"bundle = {json.dumps(str(plan.bundle))}",
            "console.enabled = false",
            f"http.port = {http_port}",
            *plan.sources,
            f"[mqtt]\nport = {mqtt_port}\n{plan.mqtt}",
            plan.detection,
        ]
    )

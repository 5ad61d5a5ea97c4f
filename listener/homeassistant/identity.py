"""Names that Home Assistant knows things by for ever: made of slugs alone, joined by what no slug holds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """Of a station's device, or of that of one of its sources."""

    station: str
    source: str | None = None

    @property
    def identifier(self) -> str:
        """Of the device: `earshot.farm` or `earshot.farm.hall`."""
        return ".".join(("earshot", *self._slugs))

    def unique_id(self, component: str) -> str:
        """Of an entity of the device."""
        return f"{self.identifier}.{component}"

    def config_topic(self, discovery_prefix: str) -> str:
        """Where the device is announced.

        The station is a level of its own, so that a broker's ACL can name it.
        """
        return "/".join((discovery_prefix, "device", *self._slugs, "config"))

    @property
    def name(self) -> str:
        """For people: `Back yard` for `back_yard`."""
        return self._slugs[-1].replace("_", " ").replace("-", " ").strip().capitalize()

    @property
    def _slugs(self) -> tuple[str, ...]:
        return (self.station,) if self.source is None else (self.station, self.source)

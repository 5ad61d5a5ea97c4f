"""The MQTT topics of a station. Every name in them is a slug of the config or the bundle."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topics:
    """Topics under `<prefix>/<station>/`."""

    prefix: str
    station: str

    @property
    def root(self) -> str:
        """The prefix of all topics of the station."""
        return f"{self.prefix}/{self.station}"

    @property
    def status(self) -> str:
        """`online` or `offline`, retained; also the will."""
        return f"{self.root}/status"

    @property
    def bundle(self) -> str:
        """The bundle in use, retained."""
        return f"{self.root}/bundle"

    @property
    def bundle_refused(self) -> str:
        """The bundle that was last refused or rolled back, and why; retained until another is in use."""
        return f"{self.root}/bundle/refused"

    @property
    def clock(self) -> str:
        """By how much the system clock was set."""
        return f"{self.root}/clock"

    @property
    def gap(self) -> str:
        """Which messages were lost; the message takes their place in the order."""
        return f"{self.root}/gap"

    @property
    def diagnostics(self) -> str:
        """The state of the station in a few numbers, retained; for Home Assistant."""
        return f"{self.root}/diagnostics"

    def command(self, name: str) -> str:
        """Where a command is sent."""
        return f"{self.root}/command/{name}"

    def command_result(self, name: str) -> str:
        """The answer to a command that names no response topic."""
        return f"{self.command(name)}/result"

    @property
    def answers(self) -> str:
        """The prefix of the response topics of commands, unless the config allows another."""
        return f"{self.root}/answer/"

    def source_status(self, source: str) -> str:
        """`online`, `silent`, `clipping` or `offline` of one source, retained."""
        return f"{self.root}/{source}/status"

    def bandwidth(self, source: str) -> str:
        """Above which frequency the source has nothing, retained."""
        return f"{self.root}/{source}/bandwidth"

    def event(self, source: str) -> str:
        """Starts and ends of events."""
        return f"{self.root}/{source}/event"

    def state(self, source: str, label: str) -> str:
        """`ON` while the label is active, else `OFF`, retained."""
        return f"{self.root}/{source}/state/{label}"

    def level(self, source: str) -> str:
        """The level in dBFS, at most once an interval."""
        return f"{self.root}/{source}/level"

    def last(self, source: str) -> str:
        """The event that started last, retained; for Home Assistant."""
        return f"{self.root}/{source}/last"

    def muted(self, source: str) -> str:
        """`ON` while all labels of a source are muted, else `OFF`, retained; for Home Assistant."""
        return f"{self.root}/{source}/muted"

    def threshold(self, source: str, label: str) -> str:
        """The current on-threshold, retained; for Home Assistant."""
        return f"{self.root}/{source}/threshold/{label}"

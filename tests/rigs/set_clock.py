"""A system clock that a test sets for one process (libfaketime); its monotonic clock stays."""

from __future__ import annotations

from pathlib import Path

_LIBRARIES = ("/usr/lib", "/usr/local/lib")
_NAME = "libfaketimeMT.so.1"  # the one for programs with threads


def missing() -> str | None:
    """Why no clock can be set here, or None when it can."""
    return None if _find() else f"{_NAME} is not installed (Debian: faketime)"


class SetClock:
    """The clock of a process that is started with `environment`; right until it is set."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "clock"
        self.set_by(0)

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the process."""
        return {
            "LD_PRELOAD": str(_find()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",  # a change counts at once
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set_by(self, seconds: int) -> None:
        """From now on it is so much ahead of the real time, or behind."""
        written = self._file.with_suffix(".new")
        written.write_text(f"{seconds:+d}\n")
        written.replace(self._file)  # never seen half written


def _find() -> Path | None:
    return next((path for root in _LIBRARIES for path in Path(root).rglob(_NAME)), None)

"""Prints events on stdout, one a line."""

import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

from listener.config.station import ConsoleSettings
from listener.detection.event import SoundEvent
from listener.files import to_json
from listener.sinks.event_document import event_document, label_names, phase
from listener.sinks.sink import BundleNotice, EventNotice, Notice

log = logging.getLogger(__name__)


class ConsoleSink:
    """Prints events: `text` for people, `jsonl` for programs.

    `label_names` gives the name of each label's slug. When stdout cannot be written any more (a closed
    pipe, a full disk), that is logged once and events are no longer printed; the station goes on.
    """

    accepts = (BundleNotice, EventNotice)

    def __init__(
        self,
        settings: ConsoleSettings,
        station: str,
        label_names: Mapping[str, str],
        stream: TextIO | None = None,
    ) -> None:
        self._format = settings.format
        self._station = station
        self._label_names = label_names
        self._stream = sys.stdout if stream is None else stream

    def handle(self, notice: Notice) -> None:
        """Print an event that started or ended."""
        if isinstance(notice, BundleNotice):
            self._label_names = label_names(notice.manifest, notice.groups)
        elif isinstance(notice, EventNotice):
            event, name = notice.event, self._label_names[notice.event.label]
            if self._format == "jsonl":
                self._print(to_json(event_document(event, self._station, name, notice.clip)))
            else:
                self._print(text_line(event, name))

    def close(self) -> None:
        """Nothing to flush: each line was."""

    def _print(self, line: str) -> None:
        if self._stream is None:  # as Python sets sys.stdout when the process has none
            return
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except OSError as error:
            log.warning("console: events are no longer printed: %s", error.strerror)
            # The rest of the buffer would fail again when Python flushes stdout at the end, and make
            # the exit code 120 (https://docs.python.org/3/library/signal.html#note-on-sigpipe).
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
            self._stream = None


def text_line(event: SoundEvent, label_name: str) -> str:
    """Local time, source, label, start or end; how long, and the peak score."""
    at = event.onset if event.offset is None else event.offset
    moment = datetime.fromtimestamp(round(float(at), 3), UTC).astimezone()
    lasted = "" if event.seconds is None else f"  {event.seconds:.2f} s"
    why = "" if event.reason is None else f"  ({event.reason})"
    return (
        f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}  {event.source}  {label_name}"
        f"  {phase(event)}{lasted}  peak {event.peak_score:.2f}{why}"
    )

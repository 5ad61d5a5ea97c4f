"""Logs on stderr, one line per fact."""

from __future__ import annotations

import logging
import os
import sys


def set_up_logging(level: str) -> None:
    """Log to stderr; under systemd without times, which the journal has."""
    journal = "JOURNAL_STREAM" in os.environ
    form = "%(levelname)s %(message)s" if journal else "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(stream=sys.stderr, level=level.upper(), format=form, force=True)

"""Addresses fit to be shown."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit


def redact(url: str) -> str:
    """The address without user, password, fragment and the values of its query."""
    try:
        parts = urlsplit(url)
    except ValueError:  # not an address that can be taken apart
        return f"{url.partition(':')[0]}:..."
    host = parts.netloc.rpartition("@")[2]
    query = re.sub(r"[^&=]+(?=&|$)", "...", parts.query)  # values, and names that stand alone
    return urlunsplit((parts.scheme, host, parts.path, query, ""))

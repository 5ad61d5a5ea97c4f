"""Addresses fit to be shown."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit


def redact(url: str) -> str:
    """The address without user, password, fragment and the values of its query."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # not a number: a password with a slash in it that was not quoted
    except ValueError:
        return f"{url.partition(':')[0]}:..."
    host = parts.netloc.rpartition("@")[2]
    query = "&".join(_redact_pair(pair) for pair in parts.query.split("&") if pair)
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


def _redact_pair(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    return f"{name}=..." if equals else "..."

"""One POST: a message is taken, refused for good, or to be tried again."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from listener import __version__
from listener.config.outputs import WebhookSettings
from listener.config.station import ConfigError

# What these say is of the message. Anything else may be of the server, or of who set it up.
_OF_THE_MESSAGE = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}
_LONGEST_REASON = 200


class PostError(Exception):
    """It was not taken, and may be at another time; one line that says why."""


class RefusedError(Exception):
    """It will never be taken; one line that says why."""


class Receiver:
    """The server of the settings. Certificates and host names are checked, redirects not followed.

    Raises:
        ConfigError: the token's or the authorities' file cannot be used.
    """

    def __init__(self, settings: WebhookSettings) -> None:
        parts = urlsplit(settings.url)
        self.name = parts.hostname or ""
        """For the log: there may be a secret in the rest of the URL."""
        self._port = parts.port
        self._target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        self._timeout_seconds = settings.timeout_seconds
        self._tls = _tls_context(settings) if parts.scheme == "https" else None
        self._headers = _headers(settings)

    def post(self, body: bytes) -> None:
        """Send JSON.

        Raises:
            PostError: no connection, no answer in time, or an answer that is not of the message.
            RefusedError: the server does not want this message.
        """
        status = self._ask(body)
        if status in _OF_THE_MESSAGE:
            raise RefusedError(f"{self.name} answered {status}")
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise PostError(f"expected an answer from 200 to 299, got {status}")

    def reach(self) -> None:
        """Connect, TLS and all, and send nothing.

        Raises:
            PostError: that cannot be done.
        """
        with self._connected():
            pass

    def _ask(self, body: bytes) -> int:
        with self._connected() as connection:
            connection.request("POST", self._target, body, self._headers)
            return connection.getresponse().status

    @contextmanager
    def _connected(self) -> Iterator[HTTPConnection]:
        connection = self._connection()
        try:
            connection.connect()
            yield connection
        except (OSError, HTTPException) as error:
            reason = " ".join(str(error).split())[:_LONGEST_REASON]
            raise PostError(f"{type(error).__name__}: {reason}") from error
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        seconds = self._timeout_seconds
        if self._tls is None:
            return HTTPConnection(self.name, self._port, timeout=seconds)
        return HTTPSConnection(self.name, self._port, timeout=seconds, context=self._tls)


def _tls_context(settings: WebhookSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:  # SSLError is one
        raise ConfigError(f"webhook.ca_file: cannot use {settings.ca_file}: {error}") from error


def _headers(settings: WebhookSettings) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "User-Agent": f"earshot/{__version__}"}
    if settings.token_file is not None:
        headers["Authorization"] = f"Bearer {_read_token(settings.token_file)}"
    return headers


def _read_token(path: Path) -> str:
    try:
        token = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"webhook.token_file: cannot read {path}: {error}") from error
    if not token or not token.isprintable():
        raise ConfigError(f"webhook.token_file: expected one line in {path}")
    return token

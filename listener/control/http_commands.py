"""A command in an HTTP request: who may give it, and how much of it is read."""

from __future__ import annotations

import hmac
import socket
import time
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from pathlib import Path
from queue import Empty, SimpleQueue

from listener.config.station import ConfigError
from listener.control.commands import COMMAND_NAMES, MAX_COMMAND_BYTES
from listener.control.dispatcher import Answer, CommandDispatcher, Request

COMMAND_PATH = "/command/"
ANSWER_SECONDS = 20.0  # a bundle is read, checked and warmed up in a few
LEAST_TOKEN_CHARACTERS = 16
_LINGER_SECONDS = 1.0
_LINGER_BYTES = 64 * 1024


_TOO_LARGE = f"expected at most {MAX_COMMAND_BYTES} bytes"


class HttpCommandError(Exception):
    """The request is refused before its command is looked at: a status, and one line that says why."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def read_token(path: Path) -> bytes:
    """The token in a file.

    Raises:
        ConfigError: the file cannot be read, or what is in it is too short to be a secret.
    """
    try:
        token = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(
            f"control.http_token_file: cannot read {path}: {error.strerror}"
        ) from error
    if len(token) < LEAST_TOKEN_CHARACTERS:
        raise ConfigError(
            f"control.http_token_file: expected at least {LEAST_TOKEN_CHARACTERS} characters in "
            f"{path}, got {len(token)}"
        )
    return token


@dataclass(frozen=True, slots=True)
class HttpCommands:
    """Takes commands of who knows the token to the desk, and waits for the answers."""

    desk: CommandDispatcher
    token: bytes
    origin: str = "http"  # for the log, and as who gave a verdict without a name

    def body_size(self, path: str, headers: Message[str, str]) -> int:
        """How long the body of an acceptable request is, in bytes.

        Raises:
            PostError: no or another token, an unknown command, not JSON, or a body of no stated length or
                too large a one.
        """
        try:
            self.check_sender(headers)
            _check_kind(path, headers)
            return _content_length(headers)
        except HttpCommandError:
            self.desk.count(path.removeprefix(COMMAND_PATH), "refused")
            raise

    def check_sender(self, headers: Message[str, str]) -> None:
        """Raises PostError unless the token is there (compared in constant time)."""
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        known = hmac.compare_digest(token.strip().encode("utf-8", "replace"), self.token)
        if scheme.lower() != "bearer" or not known:
            raise HttpCommandError(
                HTTPStatus.UNAUTHORIZED, "expected Authorization: Bearer and the token"
            )

    def deliver(self, path: str, body: bytes) -> Answer:
        """What became of the command.

        Raises:
            PostError: too many wait, or there is no answer in time.
        """
        answers: SimpleQueue[Answer] = SimpleQueue()
        name = path.removeprefix(COMMAND_PATH)
        if not self.desk.submit(Request(name, body, self.origin, answers.put)):
            raise HttpCommandError(HTTPStatus.SERVICE_UNAVAILABLE, "too many commands wait")
        try:
            return answers.get(timeout=ANSWER_SECONDS)
        except Empty as error:
            reason = f"no answer within {ANSWER_SECONDS:g} s; it may be done yet"
            raise HttpCommandError(HTTPStatus.GATEWAY_TIMEOUT, reason) from error


def _check_kind(path: str, headers: Message[str, str]) -> None:
    if path.removeprefix(COMMAND_PATH) not in COMMAND_NAMES:
        raise HttpCommandError(HTTPStatus.NOT_FOUND, f"expected one of {', '.join(COMMAND_NAMES)}")
    if headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise HttpCommandError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "expected Content-Type: application/json"
        )


def _content_length(headers: Message[str, str]) -> int:
    length = headers.get("Content-Length", "")
    if "Transfer-Encoding" in headers or not (length.isascii() and length.isdigit()):
        raise HttpCommandError(
            HTTPStatus.LENGTH_REQUIRED, "expected a Content-Length, and no chunks"
        )
    if len(length) > len(str(MAX_COMMAND_BYTES)) or int(length) > MAX_COMMAND_BYTES:
        raise HttpCommandError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE)
    return int(length)


def read_body(connection: socket.socket, received: bytes, size: int, seconds: float) -> bytes:
    """The body of `size` bytes, of which some came with the head; all of it in `seconds`.

    Raises:
        PostError: it ended before.
    """
    deadline = time.monotonic() + seconds
    body = received[:size]
    while len(body) < size:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        more = connection.recv(size - len(body))
        if not more:
            raise HttpCommandError(
                HTTPStatus.BAD_REQUEST, f"expected {size} bytes, got {len(body)}"
            )
        body += more
    connection.settimeout(seconds)
    return body


def linger(connection: socket.socket) -> None:
    """Throw away what still comes, for a second at most.

    To close on bytes that were not read resets the connection, and the sender would not see the answer.
    """
    connection.shutdown(socket.SHUT_WR)
    deadline = time.monotonic() + _LINGER_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        connection.settimeout(left)
        if not connection.recv(_LINGER_BYTES):
            break

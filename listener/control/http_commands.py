"""Commands in HTTP requests: who may send one, and how large it may be."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from pathlib import Path
from queue import Empty, SimpleQueue

from listener.config.station import ConfigError
from listener.control.commands import COMMAND_NAMES, MAX_COMMAND_BYTES
from listener.control.dispatcher import Answer, CommandDispatcher, Request

COMMAND_PATH = "/command/"
ANSWER_SECONDS = 20.0  # reading, checking and warming up a bundle takes a few
LEAST_TOKEN_CHARACTERS = 16


class HttpCommandError(Exception):
    """The request is refused before its command is read: a status, and the reason in one line."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def read_token(path: Path) -> bytes:
    """The token in a file.

    Raises:
        ConfigError: the file cannot be read, or its content is too short for a secret.
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
    """Submits commands that carry the token, and waits for their answers."""

    dispatcher: CommandDispatcher
    token: bytes
    origin: str = "http"  # for the log, and as the author of a verdict without a name

    def body_size(self, path: str, headers: Message[str, str]) -> int:
        """The length of an acceptable request's body, in bytes.

        Raises:
            HttpCommandError: no token or a wrong one, an unknown command, no JSON, or a body that is too
                large or gives no length.
        """
        name = path.removeprefix(COMMAND_PATH)
        try:
            self.check_sender(headers)
            return _check_request(name, headers)
        except HttpCommandError:
            self.dispatcher.count(name, "refused")
            raise

    def check_sender(self, headers: Message[str, str]) -> None:
        """Raises HttpCommandError unless the token is there (compared in constant time)."""
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        known = hmac.compare_digest(token.strip().encode("utf-8", "replace"), self.token)
        if scheme.lower() != "bearer" or not known:
            raise HttpCommandError(
                HTTPStatus.UNAUTHORIZED, "expected Authorization: Bearer and the token"
            )

    def deliver(self, path: str, body: bytes) -> Answer:
        """Submit a command and wait for its answer.

        Raises:
            HttpCommandError: too many commands wait, or there is no answer in time.
        """
        answers: SimpleQueue[Answer] = SimpleQueue()
        name = path.removeprefix(COMMAND_PATH)
        if not self.dispatcher.submit(Request(name, body, self.origin, answers.put)):
            raise HttpCommandError(HTTPStatus.SERVICE_UNAVAILABLE, "too many commands wait")
        try:
            return answers.get(timeout=ANSWER_SECONDS)
        except Empty as error:
            reason = f"no answer within {ANSWER_SECONDS:g} s; the command may still be carried out"
            raise HttpCommandError(HTTPStatus.GATEWAY_TIMEOUT, reason) from error


def _check_request(name: str, headers: Message[str, str]) -> int:
    """The Content-Length of a JSON request for a known command."""
    if name not in COMMAND_NAMES:
        raise HttpCommandError(HTTPStatus.NOT_FOUND, f"expected one of {', '.join(COMMAND_NAMES)}")
    if headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise HttpCommandError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "expected Content-Type: application/json"
        )
    length = headers.get("Content-Length", "")
    if "Transfer-Encoding" in headers or not (length.isascii() and length.isdigit()):
        raise HttpCommandError(
            HTTPStatus.LENGTH_REQUIRED, "expected a Content-Length, and no chunks"
        )
    if len(length) > len(str(MAX_COMMAND_BYTES)) or int(length) > MAX_COMMAND_BYTES:
        reason = f"expected at most {MAX_COMMAND_BYTES} bytes"
        raise HttpCommandError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason)
    return int(length)

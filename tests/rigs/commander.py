"""Gives commands to a station as an outside program would: mosquitto_rr, mosquitto_pub, HTTP."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import time
from datetime import UTC, datetime
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

_NUMBERS = itertools.count(1)


def command(**fields: Any) -> dict[str, Any]:
    """A fresh command with an id of its own, and these fields."""
    now = datetime.now(UTC).isoformat()
    return {"id": f"test-{time.time_ns()}-{next(_NUMBERS)}", "at": now} | fields


def ask(
    port: int, name: str, document: Any, *options: str, answer: str = "earshot/test/answer/rig"
) -> dict[str, Any]:
    """The answer to a command given through the broker on `port`, MQTT 5's way."""
    payload = document if isinstance(document, str) else json.dumps(document)
    program = shutil.which("mosquitto_rr")
    if program is None:
        pytest.skip("mosquitto_rr is not installed (Debian: mosquitto-clients)")
    command_line = [program, "-V", "mqttv5", "-p", str(port), "-q", "1", "-W", "20"]
    command_line += ["-t", f"earshot/test/command/{name}", "-e", answer, "-m", payload, *options]
    ran = subprocess.run(command_line, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def publish(port: int, topic: str, payload: bytes, *options: str) -> None:
    """A message from mosquitto_pub, its payload as it is."""
    command_line = ["mosquitto_pub", "-V", "mqttv5", "-p", str(port), "-q", "1", "-t", topic]
    content = "-s" if payload else "-n"  # from standard input, or nothing
    subprocess.run([*command_line, content, *options], input=payload, check=True)


def post(port: int, name: str, body: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    """Status and answer of a command given over HTTP."""
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    request = Request(f"http://127.0.0.1:{port}/command/{name}", body, named, method="POST")
    try:
        with urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        return error.code, json.loads(error.read())

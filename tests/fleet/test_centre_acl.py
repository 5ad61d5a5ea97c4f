"""Who may do what at the centre, by the ACL that ships."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.rigs.mosquitto import Mosquitto, subscribe
from tests.rigs.sites import centre_broker, credentials

DENIED = "Not authorized"
EVENT, COMMAND = "sites/north/farm/hall/event", "sites/north/farm/command/reload"
MAY_WRITE = [
    ("north", EVENT),
    ("north", "sites/north/bridge"),
    ("north", f"{COMMAND}/result"),
    ("operator", COMMAND),
    ("operator", "sites/south/barn/command/mute"),
]
MAY_NOT_WRITE = [
    ("south", EVENT),
    ("south", "sites/north/bridge"),
    ("south", COMMAND),
    ("north", "sites/northern/farm/hall/event"),
    ("north", "elsewhere"),
    ("consumer", EVENT),
    ("consumer", COMMAND),
    ("consumer", "sites/consumer/farm/hall/event"),
    ("operator", EVENT),
    ("operator", "sites/operator/farm/hall/event"),
]
READERS = [
    ("consumer", EVENT, True),
    ("operator", EVENT, True),
    ("operator", f"{COMMAND}/result", True),
    ("consumer", f"{COMMAND}/result", False),
    ("consumer", COMMAND, False),
    ("north", COMMAND, True),
    ("south", COMMAND, False),
    ("north", EVENT, False),
]


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with centre_broker(tmp_path_factory.mktemp("centre")) as broker:
        yield broker


def refusal(centre: Mosquitto, user: str, topic: str) -> str:
    """What mosquitto_pub says of a message that was not taken; nothing if it was."""
    command = ["mosquitto_pub", "-V", "mqttv5", "-p", str(centre.port), "-q", "1", "-t", topic]
    ran = subprocess.run(
        [*command, "-m", "x", *credentials(user)], capture_output=True, text=True, check=False
    )
    return ran.stderr


@pytest.mark.parametrize(("user", "topic"), MAY_WRITE)
def test_who_may_write(centre: Mosquitto, user: str, topic: str):
    assert refusal(centre, user, topic) == ""


@pytest.mark.parametrize(("user", "topic"), MAY_NOT_WRITE)
def test_who_may_not_write(centre: Mosquitto, user: str, topic: str):
    assert DENIED in refusal(centre, user, topic)


@pytest.mark.parametrize(("user", "topic", "reads"), READERS)
def test_who_reads_what(centre: Mosquitto, user: str, topic: str, reads: bool):
    writer = "operator" if topic == COMMAND else "north"
    marks = {"south": "sites/south/barn/command/mark", "north": "sites/north/farm/command/mark"}
    mark = marks.get(user, "sites/north/farm/clock")
    marker = "operator" if user in marks else "north"
    with subscribe(centre.port, "#", *credentials(user)) as messages:
        assert refusal(centre, writer, topic) == ""
        assert refusal(centre, marker, mark) == ""
        messages.wait_for_topic(mark, seconds=30)
        assert (topic in {message.topic for message in messages.all}) is reads

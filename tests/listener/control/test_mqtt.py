"""Commands from the broker reach the dispatcher; answers go only to allowed topics."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from listener.control.commands import Command
from listener.control.dispatcher import Answer, CommandDispatcher
from listener.control.mqtt import MqttCommands
from listener.health import Health
from listener.mqtt.messages import InboundMessage
from listener.mqtt.topics import Topics


@dataclass
class NotebookBroker:
    """Keeps subscriptions and answers."""

    topics: list[str] = field(default_factory=list)
    answers: list[tuple[str, Answer, bytes | None]] = field(default_factory=list)

    def subscribe(self, topic: str, receive: Callable[[InboundMessage], None]) -> None:  # noqa: ARG002
        self.topics.append(topic)

    def answer(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        self.answers.append((topic, json.loads(payload), correlation))


class NeverReached:
    """Every command here is refused before it is handled."""

    def handle(self, command: Command, origin: str) -> Answer:
        raise ZeroDivisionError(command, origin)


def answer_to(
    message: InboundMessage, prefix: str | None = None
) -> tuple[str, Answer, bytes | None]:
    broker = NotebookBroker()
    dispatcher = CommandDispatcher(NeverReached(), Health((), "doubles@1"))
    commands = MqttCommands(broker, Topics("earshot", "farm"), dispatcher, prefix)
    assert broker.topics == ["earshot/farm/command/+"]
    commands.receive(message)
    assert broker.answers == []  # not on the network thread
    dispatcher.tick()
    (answer,) = broker.answers
    assert answer[1]["ok"] is False
    return answer


def message(
    name: str = "reload", response: str | None = None, *, retained: bool = False
) -> InboundMessage:
    return InboundMessage(f"earshot/farm/command/{name}", b"{}", retained, response, b"\x01")


def test_an_answer_has_the_correlation_and_its_response_topic():
    topic, answer, correlation = answer_to(message(response="earshot/farm/answer/me/1"))
    assert (topic, correlation) == ("earshot/farm/answer/me/1", b"\x01")
    assert answer["error"] == "reload: id: expected one, it is missing"


@pytest.mark.parametrize(
    "response",
    [
        "earshot/farm/status",
        "earshot/farm/hall/event",
        "earshot/farm/command/reload",
        "earshot/barn/answer/x",
        "earshot/farm/answerx",
        "earshot/farm/answer/+",
        "earshot/farm/answer/#",
        "earshot/farm/answer/\x00",
        "earshot/farm/answer/" + "x" * 300,
        "",
    ],
)
def test_other_response_topics_are_refused_on_the_result_topic(response: str):
    topic, answer, _ = answer_to(message(response=response))
    assert topic == "earshot/farm/command/reload/result"
    assert answer["error"].startswith("response topic: expected one under earshot/farm/answer/")


def test_the_config_may_allow_another_prefix():
    topic, _, _ = answer_to(message(response="home/answers/7"), "home/answers")
    assert topic == "home/answers/7"
    topic, _, _ = answer_to(message(response="home/answersx/7"), "home/answers")
    assert topic == "earshot/farm/command/reload/result"


@pytest.mark.parametrize("name", ["", "explode", "\x01", "x" * 5000])
def test_an_unknown_name_never_becomes_a_topic(name: str):
    topic, _, _ = answer_to(message(name))
    assert topic == "earshot/farm/command/unknown/result"


@pytest.mark.parametrize("response", [None, "earshot/farm/hall/event"])
def test_a_retained_message_is_refused(response: str | None):
    topic, answer, _ = answer_to(message(response=response, retained=True))
    assert topic == "earshot/farm/command/reload/result"
    assert "not retained" in answer["error"]

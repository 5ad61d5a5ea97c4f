"""Commands on MQTT: each answered on its response topic, or on `command/<name>/result`."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Protocol

from listener.control.commands import COMMAND_NAMES
from listener.control.dispatcher import Answer, CommandDispatcher, Request
from listener.mqtt.messages import InboundMessage
from listener.mqtt.topics import Topics

MAX_TOPIC_CHARACTERS = 256


class CommandBroker(Protocol):
    """What commands need of the MQTT connection."""

    def subscribe(self, topic: str, receive: Callable[[InboundMessage], None], /) -> None:
        """Hand over every message of a topic."""

    def answer(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        """Answer a message."""


class MqttCommands:
    """Takes what is published under `command/` to the desk.

    A response topic is answered to only under `topics.answers`, or under `answer_prefix`: whoever may
    give commands must not make the station publish events of its own.
    """

    def __init__(
        self,
        broker: CommandBroker,
        topics: Topics,
        desk: CommandDispatcher,
        answer_prefix: str | None = None,
    ) -> None:
        self._broker, self._topics, self._desk = broker, topics, desk
        allowed = (
            [topics.answers] if answer_prefix is None else [topics.answers, answer_prefix + "/"]
        )
        self._allowed = tuple(allowed)
        broker.subscribe(topics.command("+"), self.take)

    def take(self, message: InboundMessage) -> None:
        """Hand a message to the desk; on any thread, at once."""
        name = message.topic.rpartition("/")[2]
        topic = message.response_topic
        objection = None
        if message.retained:
            objection = f"expected a message that is not retained, got one on command/{name[:64]!r}"
        elif topic is not None and not self._is_allowed(topic):
            objection = f"response topic: expected one under {self._allowed[0]}, got {topic[:64]!r}"
            topic = None
        answer = partial(self._answer, topic or self._result_topic(name), message.correlation)
        self._desk.submit(Request(name, message.payload, "mqtt", answer, objection))

    def _result_topic(self, name: str) -> str:
        # what came may have characters for which the broker cuts the connection
        return self._topics.command_result(name if name in COMMAND_NAMES else "unknown")

    def _is_allowed(self, topic: str) -> bool:
        plain = len(topic) <= MAX_TOPIC_CHARACTERS and topic.isprintable()
        return plain and topic.startswith(self._allowed) and not set(topic) & set("+#")

    def _answer(self, topic: str, correlation: bytes | None, answer: Answer) -> None:
        self._broker.answer(topic, json.dumps(answer).encode(), correlation)

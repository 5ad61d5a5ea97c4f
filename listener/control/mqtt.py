"""Commands over MQTT: each is answered on its response topic, or on `command/<name>/result`."""

import json
from collections.abc import Callable
from typing import Protocol

from listener.control.commands import COMMAND_NAMES
from listener.control.dispatcher import CommandDispatcher, Request
from listener.mqtt.messages import InboundMessage
from listener.mqtt.topics import Topics

MAX_TOPIC_CHARACTERS = 256


class CommandBroker(Protocol):
    """The part of the MQTT connection that commands need."""

    def subscribe(self, topic: str, receive: Callable[[InboundMessage], None], /) -> None:
        """Call `receive` with every message of a topic."""

    def answer(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        """Publish the answer to a message."""


class MqttCommands:
    """Submits every message under `command/`.

    Answers go only to response topics under `topics.answers` or `answer_prefix`: a client that may send
    commands must not make the station publish events.
    """

    def __init__(
        self,
        broker: CommandBroker,
        topics: Topics,
        dispatcher: CommandDispatcher,
        answer_prefix: str | None = None,
    ) -> None:
        self._broker, self._topics, self._dispatcher = broker, topics, dispatcher
        more = () if answer_prefix is None else (answer_prefix + "/",)
        self._allowed = (topics.answers, *more)
        broker.subscribe(topics.command("+"), self.receive)

    def receive(self, message: InboundMessage) -> None:
        """Submit a message; on any thread, without blocking."""
        name = message.topic.rpartition("/")[2]
        # the name may hold characters for which the broker closes the connection
        topic = self._topics.command_result(name if name in COMMAND_NAMES else "unknown")
        wanted, objection = message.response_topic, None
        if wanted is not None:
            plain = len(wanted) <= MAX_TOPIC_CHARACTERS and wanted.isprintable()
            if plain and wanted.startswith(self._allowed) and not set(wanted) & set("+#"):
                topic = wanted
            else:
                allowed = self._allowed[0]
                objection = f"response topic: expected one under {allowed}, got {wanted[:64]!r}"
        if message.retained:
            objection = f"expected a message that is not retained, got one on command/{name[:64]!r}"
        self._dispatcher.submit(
            Request(
                name,
                message.payload,
                "mqtt",
                lambda answer: self._broker.answer(
                    topic, json.dumps(answer).encode(), message.correlation
                ),
                objection,
            )
        )

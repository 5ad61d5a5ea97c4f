"""Where events go beside MQTT: a server, a file, a program."""

from __future__ import annotations

from collections.abc import Mapping

from listener.config.outputs import WebhookSettings
from listener.config.station import Config, ConfigError
from listener.health import Health
from listener.outbox.disk import OutboxError
from listener.outbox.outbox import Outbox
from listener.outbox.store import Bounds
from listener.sinks.event_document import EventDocuments
from listener.sinks.event_file import EventFileSink
from listener.sinks.hook import HookSink
from listener.sinks.sink import Sink
from listener.sinks.webhook import TOPIC, Receiver, WebhookCarrier, WebhookSink

_KEEP_DAYS = 1.0  # of what was taken: for a person who looks into the file


class Outlets:
    """The sinks, and what runs behind them; `names` are those for people, by label.

    Raises:
        ConfigError: a file cannot be used.
    """

    def __init__(self, config: Config, names: Mapping[str, str], health: Health) -> None:
        self.sinks: dict[str, Sink] = {}
        self._carrier: WebhookCarrier | None = None
        self._outbox: Outbox | None = None
        self._station, self._names, self._health = config.station, names, health
        if config.webhook is not None:
            self._open_webhook(config.webhook)
        if config.event_file is not None:
            self.sinks["event_file"] = EventFileSink(config.event_file, self._documents(), health)
        if config.hook is not None:
            self.sinks["hook"] = HookSink(config.hook, self._documents(), health)

    def _documents(self) -> EventDocuments:
        return EventDocuments(self._station, self._names)

    def _open_webhook(self, settings: WebhookSettings) -> None:
        self._carrier = WebhookCarrier(Receiver(settings))
        bounds = Bounds(settings.max_waiting, _KEEP_DAYS)
        try:
            self._outbox = Outbox(
                settings.waiting_file,
                bounds,
                self._station,
                TOPIC,
                self._carrier,
                self._health,
                TOPIC,
                doubtful_seconds=0.0,  # a server answers when it has dealt with it
            )
        except OutboxError as error:
            raise ConfigError(f"webhook: {error}") from error
        self._carrier.send_for(self._outbox)
        self.sinks["webhook"] = WebhookSink(self._outbox, self._documents())

    def start(self) -> None:
        """Begin to send."""
        for part in (self._outbox, self._carrier):
            if part is not None:
                part.start()

    def close(self) -> None:
        """Send what is left if the server takes it, for a second or so; all of it is on disk."""
        for part in (self._outbox, self._carrier):
            if part is not None:
                part.close()

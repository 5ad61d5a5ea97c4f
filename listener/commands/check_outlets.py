"""`listener check`: where events go beside MQTT, tried without sending any."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from listener.commands.finding import Finding
from listener.config.outputs import EventFileSettings, HookSettings, WebhookSettings
from listener.config.station import Config, ConfigError
from listener.sinks.webhook import PostError, Receiver


def check_outlets(config: Config) -> Iterator[Finding]:
    """A finding for each that is configured."""
    if config.webhook is not None:
        yield _check_webhook(config.webhook)
    if config.event_file is not None:
        yield _check_event_file(config.event_file)
    if config.hook is not None:
        yield _check_hook(config.hook)


def _check_webhook(settings: WebhookSettings) -> Finding:
    try:
        receiver = Receiver(settings)
        receiver.reach()
    except (ConfigError, PostError) as error:
        return Finding("webhook", works=False, detail=str(error))
    detail = f"{receiver.name} can be reached; nothing was posted"
    return Finding("webhook", works=True, detail=detail)


def _check_event_file(settings: EventFileSettings) -> Finding:
    path = settings.path
    existing = path if path.exists() else path.parent
    works = os.access(existing, os.W_OK) and (existing != path or path.is_file())
    detail = str(path) if works else f"{path}: expected a file that this user may write"
    return Finding("event_file", works=works, detail=detail)


def _check_hook(settings: HookSettings) -> Finding:
    program = Path(settings.program[0])
    works = program.is_file() and os.access(program, os.X_OK)
    detail = str(program) if works else f"{program}: expected a program that this user may run"
    return Finding("hook", works=works, detail=detail)

"""A paho-mqtt client as the settings ask for it: protocol, credentials, TLS, time limits."""

import hashlib
import logging
import socket
import ssl
import uuid
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from listener.config.outputs import MqttSettings, TlsSettings

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_SECONDS = 5.0

_PROTOCOLS = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}
_MACHINE_ID_FILE = Path("/etc/machine-id")


class BrokerError(Exception):
    """The broker cannot be used; one line that says what was expected and what came."""


def station_client_id(station: str) -> str:
    """The station and a hash of the machine: two with the same config do not cut each other off."""
    try:
        machine = _MACHINE_ID_FILE.read_bytes()
    except OSError:
        machine = uuid.getnode().to_bytes(6, "big")
    # machine-id(5): a derived id may leave the machine, the id itself may not
    return f"{station}-{hashlib.blake2b(machine, key=b'earshot', digest_size=4).hexdigest()}"


def make_client(settings: MqttSettings, client_id: str) -> Client:
    """A client that is ready to connect.

    Raises:
        BrokerError: an invalid host name, a password or TLS file that cannot be read.
    """
    try:
        is_host = bool(settings.host.encode("idna"))
    except UnicodeError:  # paho would meet it on its network thread, and end that thread
        is_host = False
    if not is_host:
        raise BrokerError(f"mqtt.host: expected a host name or address, got {settings.host!r}")
    client = Client(
        CallbackAPIVersion.VERSION2, client_id=client_id, protocol=_PROTOCOLS[settings.protocol]
    )
    # An exception in a callback would end paho's network thread silently, while is_connected()
    # and publish() still report success; suppressed, it goes to _log.
    client.suppress_exceptions = True
    client.on_log = _log
    client.connect_timeout = CONNECT_TIMEOUT_SECONDS
    client.max_inflight_messages_set(0)  # no queue inside paho: our send queue holds back
    client.on_socket_open = _disable_nagle
    if settings.username is not None:
        client.username_pw_set(settings.username, _read_password(settings.password_file))
    elif settings.password_file is not None:
        raise BrokerError("mqtt.username: expected one beside password_file, there is none")
    if settings.tls is not None:
        client.tls_set_context(_tls_context(settings.tls))
    return client


def describe(error: BaseException | None) -> str:
    """What went wrong with a connection, in a few words."""
    return str(getattr(error, "strerror", None) or error)


def _read_password(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BrokerError(f"mqtt.password_file: cannot read {file}: {describe(error)}") from error


def _tls_context(settings: TlsSettings) -> ssl.SSLContext:
    if settings.key_file is not None and settings.certificate_file is None:
        raise BrokerError("mqtt.tls.certificate_file: expected one beside key_file, there is none")
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)  # host names are checked
        if settings.certificate_file is not None:
            # the empty password: an encrypted key is an error, not a question on the terminal
            context.load_cert_chain(settings.certificate_file, settings.key_file, password="")
    except OSError as error:  # ssl.SSLError too
        files = ", ".join(str(path) for _, path in settings if path is not None)
        raise BrokerError(f"mqtt.tls: cannot load {files}: {describe(error)}") from error
    return context


def _log(_client: Client, _userdata: Any, _level: int, text: str) -> None:
    if text.startswith("Caught exception"):
        log.error("mqtt: %s", text, exc_info=True)
    else:
        log.debug("mqtt: %s", text)  # paho calls every end of a connection an error


def _disable_nagle(_client: Client, _userdata: Any, connection: Any) -> None:
    # paho leaves Nagle's algorithm on, which holds a message back until the previous one is
    # acknowledged: the median to a subscriber on the same machine was 21 ms with it, 0.5 without
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

"""Sites whose Mosquittos are bridged to one at the centre, all with the files that ship."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.rigs.mosquitto import Mosquitto, need_mosquitto
from tests.shared import ROOT

SHIPPED = ROOT / "mosquitto"
SITES = ("north", "south")
CENTRE_USERS = (*SITES, "consumer", "operator")
_SITE_USERS = ("farm", "operator")


def word_of(user: str) -> str:
    """The password of a user."""
    return f"the-word-of-{user}"


def credentials(user: str) -> list[str]:
    """Options of Mosquitto's clients."""
    return ["-u", user, "-P", word_of(user)]


def centre_broker(directory: Path) -> Mosquitto:
    """The centre: a folder with the shipped configuration and the centre's ACL."""
    lines = shipped_lines(directory, "acl-centre", CENTRE_USERS)
    return Mosquitto(directory, *lines, anonymous=False)


def site_broker(
    directory: Path,
    centre_port: int,
    *,
    user: str = "north",
    site: str = "north",
) -> Mosquitto:
    """A site with the shipped configuration and bridge, which speaks as `user` for `site`."""
    lines = shipped_lines(directory, "acl", _SITE_USERS)
    bridge = _bridge_lines(centre_port, user, site)
    return Mosquitto(directory, *lines, *bridge, anonymous=False)


def stock_site_broker(directory: Path, centre_port: int) -> Mosquitto:
    """The control: the bridge in a Mosquitto as it comes, open to everybody."""
    return Mosquitto(directory, *_bridge_lines(centre_port, "north", "north"))


def shipped_lines(directory: Path, acl: str, users: Sequence[str]) -> list[str]:
    """earshot.conf, but for the ports, the folder and what a rig says itself."""
    need_mosquitto()
    passwords = directory / "earshot.passwd"
    passwords.touch()
    for user in users:
        subprocess.run(["mosquitto_passwd", "-b", passwords, user, word_of(user)], check=True)
    shutil.copy(SHIPPED / acl, directory / "earshot.acl")
    for path in (passwords, directory / "earshot.acl"):
        path.chmod(0o600)
    text = (SHIPPED / "earshot.conf").read_text()
    text = text.replace("/etc/mosquitto/earshot.", f"{directory}/earshot.")
    text = re.sub(r"^(listener|allow_anonymous) .*$", "", text, flags=re.MULTILINE)
    return [*text.splitlines(), f"persistence_location {directory}/"]


def _bridge_lines(centre_port: int, user: str, site: str) -> list[str]:
    """bridge.conf, to a centre without TLS on this machine, and tried again at once."""
    text = (SHIPPED / "bridge.conf").read_text()
    for shipped, here in (
        ("centre.example.org:8883", f"127.0.0.1:{centre_port}"),
        ("remote_username north", f"remote_username {user}"),
        ("remote_clientid earshot-north", f"remote_clientid earshot-{user}"),
        ("remote_password change-me", f"remote_password {word_of(user)}"),
        ("sites/north/", f"sites/{site}/"),
        ("restart_timeout 1 30", "restart_timeout 1 2"),
    ):
        assert shipped in text, shipped
        text = text.replace(shipped, here)
    return [line for line in text.splitlines() if not line.startswith("bridge_cafile")]

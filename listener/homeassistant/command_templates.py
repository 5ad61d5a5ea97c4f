"""Templates by which Home Assistant makes commands of the station, each fresh and with an id of its own.

They are rendered when the entity is used; see listener.control.commands for what they have to be.
"""

from __future__ import annotations

MUTE_SECONDS = 604_800  # the longest that the command takes: a mute that is forgotten ends


def mute_template(source: str) -> str:
    """Of a switch, whose `value` is ON or OFF; 0 seconds end the mute."""
    seconds = f"{{{{ {MUTE_SECONDS} if value == 'ON' else 0 }}}}"
    return _command(source=f'"{source}"', seconds=seconds)


def threshold_template(source: str, label: str) -> str:
    """Of a number, whose `value` is the new on-threshold."""
    return _command(source=f'"{source}"', label=f'"{label}"', on="{{ value }}")


def wrong_template() -> str:
    """Of a button that has the clip's id as its attribute `clip`."""
    clip = '"{{ this.attributes.clip }}"'
    return _command(clip=clip, verdict='"wrong"', who='"Home Assistant"')


def _command(**fields: str) -> str:
    stamp = {
        "id": '"ha-{{ (now().timestamp() * 1000000) | int }}"',
        "at": '"{{ now().isoformat() }}"',
    }
    inner = ", ".join(f'"{name}": {value}' for name, value in (stamp | fields).items())
    return f"{{{inner}}}"

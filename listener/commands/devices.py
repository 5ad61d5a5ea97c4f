"""`listener devices`: the capture devices that the config can name as a microphone."""

from rich.console import Console
from rich.table import Table

from listener.sources.portaudio import list_devices


def print_devices() -> None:
    """Print a table, and the lines to copy into the config.

    Raises:
        SourceError: PortAudio is not installed or fails.
    """
    devices = list_devices()
    console = Console(soft_wrap=True)
    if not devices:
        console.print("No capture device found.")
        return
    table = Table("device", "channels", "rate, Hz", "default")
    for device in devices:
        default = "yes" if device.is_default else ""
        table.add_row(device.name, str(device.channels), str(device.sample_rate_hz), default)
    console.print(table)
    chosen = next((device for device in devices if device.is_default), devices[0])
    console.print("For the config:", style="bold")
    console.print(
        f'[[sources]]\nname = "microphone"\nkind = "microphone"\ndevice = "{chosen.name}"',
        markup=False,
        highlight=False,
    )

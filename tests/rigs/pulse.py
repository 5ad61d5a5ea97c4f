"""A microphone without hardware: PulseAudio's null sink, played into and recorded from."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from listener.sources import portaudio
from listener.sources.source import SourceError

DEVICE = "nr"
_ALSA_CONF = Path("/usr/share/alsa/alsa.conf")
_ALSA_PULSE_PLUGIN = "libasound_module_pcm_pulse.so"


def missing() -> str | None:
    """Why there can be no virtual microphone here, or None when there can."""
    for program in ("pulseaudio", "pactl", "paplay"):
        if shutil.which(program) is None:
            return f"{program} is not installed (pulseaudio, pulseaudio-utils)"
    if not any(Path("/usr/lib").rglob(_ALSA_PULSE_PLUGIN)):
        return f"{_ALSA_PULSE_PLUGIN} is not installed (libasound2-plugins)"
    return None


def microphone_missing() -> str | None:
    """Why nothing can be recorded from a virtual microphone here, or None."""
    try:
        portaudio.load()
    except SourceError as error:
        return str(error)
    return missing()


class VirtualMicrophone:
    """What is played into it is heard on the ALSA device DEVICE, sample for sample at its own rate."""

    def __init__(self, directory: Path, sample_rate_hz: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._directory = directory
        self._address = f"unix:{directory}/native"
        self._server = self._start()

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which a program, or this one, finds the device and no other sound server."""
        return {
            "ALSA_CONFIG_PATH": str(self._directory / "alsa.conf"),
            "PULSE_SERVER": self._address,
            "PULSE_RUNTIME_PATH": str(self._directory),
            "XDG_RUNTIME_DIR": str(self._directory),
        }

    @property
    def sink_arguments(self) -> tuple[str, ...]:
        """What the null sink is loaded with."""
        return (
            f"sink_name={DEVICE}",
            f"rate={self.sample_rate_hz}",
            "channels=1",
            "norewinds=1",
        )

    def play(self, path: Path) -> subprocess.Popen[bytes]:
        """Play a WAV file; returns at once."""
        return subprocess.Popen(
            ["paplay", f"--server={self._address}", f"--device={DEVICE}", str(path)],
            env=self._own_environment(),
        )

    def control(self, *arguments: str) -> None:
        """Run `pactl`, e.g. `control("set-sink-mute", DEVICE, "1")`."""
        subprocess.run(
            ["pactl", f"--server={self._address}", *arguments],
            check=True,
            capture_output=True,
            env=self._own_environment(),
            timeout=10,
        )

    def freeze(self) -> None:
        """Stop the server: connections stay, no sample comes."""
        self._server.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self._server.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Unplug: the server is gone at once."""
        self._server.kill()
        self._server.wait()
        (self._directory / "native").unlink(missing_ok=True)

    def restart(self) -> None:
        """Plug in again after `kill`."""
        self._server = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / "alsa.conf").write_text(
            f"<{_ALSA_CONF}>\n"
            f'pcm.{DEVICE} {{ type pulse server "{self._address}" device "{DEVICE}.monitor" '
            f'hint {{ show on description "{DEVICE}" }} }}\n'
        )
        with (self._directory / "pulseaudio.log").open("wb") as log:
            server = subprocess.Popen(
                self._command(), stdout=log, stderr=log, env=self._own_environment()
            )
        self._wait_until_ready(server)
        return server

    def _command(self) -> list[str]:
        sink = " ".join(self.sink_arguments)
        return [
            "pulseaudio",
            *("-n", "--daemonize=no", "--exit-idle-time=-1", "--disable-shm=true"),
            "--use-pid-file=no",
            *(
                "-L",
                f"module-native-protocol-unix auth-anonymous=1 socket={self._directory}/native",
            ),
            *("-L", f"module-null-sink {sink}"),
        ]

    def _own_environment(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self._directory), **self.environment}

    def _wait_until_ready(self, server: subprocess.Popen[bytes], seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and server.poll() is None:
            try:
                self.control("get-sink-mute", DEVICE)
            except subprocess.CalledProcessError:
                continue  # each try is a program that takes its time
            return
        server.kill()
        server.wait()
        raise RuntimeError((self._directory / "pulseaudio.log").read_text())


@contextmanager
def virtual_microphone(
    directory: Path, sample_rate_hz: int = 44_100
) -> Iterator[VirtualMicrophone]:
    """A sound server of its own with one null sink, in an empty directory of a short path.

    PortAudio takes 44.1 kHz for the native rate of any PulseAudio device: at another rate the
    server resamples. Nobody's real sound server is touched.
    """
    microphone = VirtualMicrophone(directory, sample_rate_hz)
    try:
        yield microphone
    finally:
        microphone.thaw()
        microphone.kill()

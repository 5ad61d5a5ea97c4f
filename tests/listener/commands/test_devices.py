"""`listener devices`, with a sound server, without one, and without PortAudio."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.listener.commands.program import one_line, run_listener
from tests.rigs import pulse


def test_a_device_is_listed_with_the_lines_for_the_config():
    reason = pulse.missing()
    if reason is not None:
        pytest.skip(reason)
    with (
        tempfile.TemporaryDirectory(prefix="nr") as directory,
        pulse.virtual_microphone(Path(directory)) as microphone,
    ):
        done = run_listener("devices", environment=microphone.environment)
    assert done.returncode == 0
    assert f"│ {pulse.DEVICE} " in done.stdout
    assert '[[sources]]\nname = "microphone"\nkind = "microphone"\ndevice = "' in done.stdout


def test_without_portaudio_the_package_to_install_is_named(tmp_path: Path):
    (tmp_path / "sounddevice.py").write_text('raise OSError("PortAudio library not found")\n')
    done = run_listener("devices", environment={"PYTHONPATH": str(tmp_path)})
    assert (done.returncode, done.stdout) == (2, "")
    assert "apt install libportaudio2" in one_line(done.stderr)

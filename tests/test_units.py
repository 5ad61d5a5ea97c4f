"""systemd's own opinion of the units: well-formed, hardened, and one template for several stations."""

from __future__ import annotations

import difflib
import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

from listener.config.load import load_config
from tests.shared import ROOT

UNITS = {"listener.service": "listener.service", "listener@.service": "listener@hall.service"}
README = (ROOT / "README.md").read_text()


def systemd_analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (Debian: systemd)")
    command = ["systemd-analyze", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True)


class _Unit(ConfigParser):
    optionxform = staticmethod(str)  # type: ignore[assignment]


def service_of(unit: str) -> dict[str, str]:
    """The [Service] settings; of one that is given more than once, the last."""
    parser = _Unit(strict=False, interpolation=None)
    parser.read(ROOT / "systemd" / unit)
    return dict(parser["Service"])


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_is_hardened(unit: str):
    path = ROOT / "systemd" / unit
    told = systemd_analyze("security", "--offline=true", str(path)).stdout
    exposure = re.search(r"Overall exposure level for .*: ([\d.]+)", told)
    assert exposure is not None
    assert float(exposure[1]) <= 1.5
    assert f"gives {exposure[1]}" in README


def test_a_plain_unit_would_not_pass(tmp_path: Path):
    plain = tmp_path / "plain.service"
    plain.write_text("[Service]\nExecStart=/bin/true\n")
    told = systemd_analyze("security", "--offline=true", str(plain)).stdout
    exposure = re.search(r"exposure level for plain.service: ([\d.]+)", told)
    assert exposure is not None
    assert float(exposure[1]) > 9


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_knows_every_setting(unit: str, tmp_path: Path):
    text = (ROOT / "systemd" / unit).read_text()
    installed = tmp_path / UNITS[unit]
    installed.write_text(text.replace("/opt/earshot/bin/listener", "/bin/true"))
    assert systemd_analyze("verify", "--man=no", str(installed)).stderr == ""


def test_systemd_would_have_said_of_a_wrong_one(tmp_path: Path):
    wrong = tmp_path / "wrong.service"
    wrong.write_text("[Service]\nType=notify\nExecStart=/bin/true\nWatchdgSec=30\n")
    assert "Unknown key" in systemd_analyze("verify", "--man=no", str(wrong)).stderr


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_is_watched_and_restarted_for_ever(unit: str):
    service = service_of(unit)
    assert (service["Type"], service["Restart"]) == ("notify", "always")
    assert int(service["WatchdogSec"]) >= 5  # stages beat every second or two
    assert "RestartPreventExitStatus" not in service
    assert "StartLimitIntervalSec=0\n" in (ROOT / "systemd" / unit).read_text()


@pytest.mark.parametrize("unit", UNITS)
def test_what_breaks_the_engines_is_left_out(unit: str):
    """MemoryDenyWriteExecute crashes TensorFlow, ProcSubset=pid slows LiteRT ninefold."""
    assert {"MemoryDenyWriteExecute", "ProcSubset"} & service_of(unit).keys() == set()


@pytest.mark.parametrize("unit", UNITS)
def test_no_secret_is_in_the_environment(unit: str):
    service = service_of(unit)
    assert {"Environment", "EnvironmentFile", "SetCredential"} & service.keys() == set()
    assert "LoadCredential" in service


def test_the_template_is_the_unit_with_its_own_names():
    one, many = ((ROOT / "systemd" / unit).read_text().splitlines() for unit in UNITS)
    changed = [line[2:] for line in difflib.ndiff(one, many) if line.startswith("+ ")]
    assert [line.partition("=")[0] for line in changed if not line.startswith("#")] == [
        "Description",
        "ExecStart",
        *["LoadCredential"] * 3,
        "StateDirectory",
        "WorkingDirectory",
    ]
    assert all("%i" in line for line in changed if not line.startswith("#"))


def test_the_config_of_the_install_notes_keeps_all_that_is_written_in_the_state_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """All else is read-only under the unit."""
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/earshot")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/listener.service")
    notes = (ROOT / "docs" / "install.md").read_text()
    shown = re.search(r"```toml\n(.*?)```", notes, re.DOTALL)
    assert shown is not None
    source = '[[sources]]\nname = "hall"\nkind = "microphone"\n'
    (tmp_path / "config.toml").write_text(shown[1] + source)
    config = load_config(tmp_path / "config.toml")
    written = [config.outbox.path, config.clips.directory, config.control.state_file]
    assert {path.parent for path in written} == {Path("/var/lib/earshot")}
    assert config.mqtt is not None
    assert (config.mqtt.username, config.station) == (
        "farm",
        "farm",
    )  # as the broker's ACL wants it

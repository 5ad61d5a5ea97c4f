"""TOML -> settings; an error is one line with file, key, value and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from listener.config.load import load_config
from listener.config.sources import FileSettings, MicrophoneSettings, StdinSettings, StreamSettings
from listener.config.station import Config, ConfigError

BUNDLE = 'bundle = "models/yamnet"\n'
SOURCE = '[[sources]]\nname = "hall"\nkind = "microphone"\n'
LEAST = BUNDLE + SOURCE


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return load_config(path)


def fault(tmp_path: Path, text: str) -> str:
    """The error line of a wrong config, without the name of the file."""
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text)
    line = str(error.value)
    assert "\n" not in line
    name, _, rest = line.partition(": ")
    assert name == str(tmp_path / "config.toml")
    return rest


def test_a_bundle_and_a_source_are_enough(tmp_path: Path):
    config = load(tmp_path, LEAST)
    assert config.station == "earshot"
    assert config.sources == (MicrophoneSettings(name="hall", kind="microphone"),)
    assert (config.engine.kind, config.engine.max_batch, config.engine.threads) == ("litert", 48, 1)
    assert config.mqtt is None
    assert (config.http.host, config.http.port) == ("127.0.0.1", 9464)
    assert config.detection.patch_hop_seconds is None


def test_all_kinds_of_source(tmp_path: Path):
    config = load(
        tmp_path,
        BUNDLE
        + '[[sources]]\nname = "a"\nkind = "microphone"\ndevice = "USB"\n'
        + '[[sources]]\nname = "b"\nkind = "file"\npath = "x.wav"\npace = "fast"\n'
        + '[[sources]]\nname = "c"\nkind = "stdin"\nformat = "wav"\n'
        + '[[sources]]\nname = "d"\nkind = "stream"\nurl = "rtsp://camera/1"\n',
    )
    kinds = [type(source) for source in config.sources]
    assert kinds == [MicrophoneSettings, FileSettings, StdinSettings, StreamSettings]


def test_relative_paths_start_at_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SOUNDS", "/srv/sounds")
    monkeypatch.setenv("HOME", "/home/owl")
    config = load(
        tmp_path,
        BUNDLE
        + '[[sources]]\nname = "a"\nkind = "file"\npath = "sounds/x.wav"\n'
        + '[[sources]]\nname = "b"\nkind = "file"\npath = "/abs/x.wav"\n'
        + '[[sources]]\nname = "c"\nkind = "file"\npath = "$SOUNDS/x.wav"\n'
        + '[[sources]]\nname = "d"\nkind = "file"\npath = "~/x.wav"\n'
        + '[mqtt]\npassword_file = "secret"\n[mqtt.tls]\nca_file = "ca.pem"\n'
        + '[control]\nhttp_token_file = "token"\n'
        + '[clips]\ndirectory = "kept"\n'
        + '[engine.remote]\nca_file = "models.pem"\n'
        + '[homeassistant]\nstate_file = "announced.json"\n',
    )
    assert config.bundle == tmp_path / "models/yamnet"
    paths = [source.path for source in config.sources if isinstance(source, FileSettings)]
    assert paths == [
        tmp_path / "sounds/x.wav",
        Path("/abs/x.wav"),
        Path("/srv/sounds/x.wav"),
        Path("/home/owl/x.wav"),
    ]
    assert config.mqtt is not None
    assert config.mqtt.tls is not None
    assert config.mqtt.password_file == tmp_path / "secret"
    assert config.homeassistant.state_file == tmp_path / "announced.json"
    assert config.mqtt.tls.ca_file == tmp_path / "ca.pem"
    assert config.mqtt.tls.key_file is None
    assert config.control.http_token_file == tmp_path / "token"
    assert config.control.state_file == tmp_path / "state.json"
    assert config.clips.directory == tmp_path / "kept"
    assert config.engine.remote.ca_file == tmp_path / "models.pem"
    assert load(tmp_path, LEAST).clips.directory == tmp_path / "clips"


def test_integers_are_accepted_as_floats(tmp_path: Path):
    assert load(tmp_path, LEAST + "[backoff]\nfirst_seconds = 1\n").backoff.first_seconds == 1.0


def test_settings_are_frozen(tmp_path: Path):
    config = load(tmp_path, LEAST)
    with pytest.raises(ValidationError, match="frozen"):
        config.station = "barn"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (SOURCE, "bundle: Field required"),
        (BUNDLE, "sources: Field required"),
        (BUNDLE + "sources = []", "sources: expected at least one, got none"),
        (LEAST + "pth = 1", "sources.0.microphone.pth: unknown key"),
        ("volume = 11\n" + LEAST, "volume: unknown key"),
        (LEAST + '[mqtt]\npassword = "hunter2"', "mqtt.password: unknown key"),
        (BUNDLE + '[[sources]]\nname = "a"\nkind = "file"', "sources.0.file.path: Field required"),
    ],
)
def test_a_missing_or_unknown_key(tmp_path: Path, text: str, line: str):
    assert fault(tmp_path, text) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("bundle = 1\n" + SOURCE, "bundle: Input should be a valid string, got 1"),
        (
            LEAST + '[engine]\nthreads = "2"',
            "engine.threads: Input should be a valid integer, got '2'",
        ),
        (
            LEAST + "[engine]\nthreads = true",
            "engine.threads: Input should be a valid integer, got True",
        ),
        (
            LEAST + '[console]\nenabled = "yes"',
            "console.enabled: Input should be a valid boolean, got 'yes'",
        ),
        (BUNDLE + 'sources = "hall"', "sources: Input should be a valid array, got 'hall'"),
        ("http = false\n" + LEAST, "http: Input should be an object, got False"),
        (
            LEAST + "[detection]\nlabels = [1]",
            "detection.labels.0: Input should be a valid string, got 1",
        ),
    ],
)
def test_a_value_of_the_wrong_type(tmp_path: Path, text: str, line: str):
    assert fault(tmp_path, text) == line


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('station = "My Farm"\n' + LEAST, ["station", "[a-z0-9_-]", "'My Farm'"]),
        ('station = "a/+/#"\n' + LEAST, ["station", "'a/+/#'"]),
        (
            'log_level = "loud"\n' + LEAST,
            ["log_level", "'debug', 'info', 'warning' or 'error'", "'loud'"],
        ),
        (LEAST + "[http]\nport = 70000", ["http.port", "less than or equal to 65535", "70000"]),
        (LEAST + "[mqtt]\nport = 0", ["mqtt.port", "greater than or equal to 1", "0"]),
        (
            LEAST + "[engine]\nmax_batch = 0",
            ["engine.max_batch", "greater than or equal to 1", "0"],
        ),
        (
            LEAST + '[engine]\nkind = "gpu"',
            ["engine.kind", "'litert', 'openvino', 'tensorflow', 'remote' or 'auto'", "'gpu'"],
        ),
        (
            LEAST + '[engine]\nfront_end = "device"',
            ["engine: front_end", 'kind "tensorflow"', "got litert"],
        ),
        (LEAST + "[backoff]\nfirst_seconds = 0", ["backoff.first_seconds", "greater than 0", "0"]),
        (LEAST + "[backoff]\nfirst_seconds = nan", ["backoff.first_seconds", "nan"]),
        (
            LEAST + "[backoff]\nlimit_seconds = inf",
            ["backoff.limit_seconds", "finite number", "inf"],
        ),
        (
            LEAST + "[detection.policies.dog]\non_threshold = 1.5",
            ["detection.policies.dog.on_threshold", "less than or equal to 1", "1.5"],
        ),
        (
            BUNDLE + '[[sources]]\nname = "a"\nkind = "radio"',
            ["sources.0", "'radio'", "'microphone', 'file', 'stdin', 'stream'"],
        ),
        (BUNDLE + '[[sources]]\nname = "a"', ["sources.0.kind", "'microphone'", "missing"]),
        (BUNDLE + "sources = [1]", ["sources.0", "got 1"]),
        (LEAST + SOURCE, ["sources: expected each name once, found twice: hall"]),
        (LEAST + "[control]\nmqtt = true", ["control.mqtt: expected a table [mqtt]"]),
        (LEAST + "[homeassistant]\nenabled = true", ["homeassistant: expected a table [mqtt]"]),
        (
            LEAST + '[mqtt]\n[homeassistant]\ndiscovery_prefix = "a/#"',
            ["homeassistant.discovery_prefix", "'a/#'"],
        ),
        (
            LEAST + '[http]\nenabled = false\n[control]\nhttp_token_file = "token"',
            ["control.http_token_file: expected http.enabled = true"],
        ),
        (
            LEAST + '[control]\nanswer_prefix = "a/+/#"',
            ["control.answer_prefix", "'a/+/#'"],
        ),
        (
            LEAST + "[control]\nrollback_factor = 1",
            ["control.rollback_factor", "greater than 1"],
        ),
        (
            BUNDLE
            + '[[sources]]\nname = "a"\nkind = "stdin"\n[[sources]]\nname = "b"\nkind = "stdin"\n',
            ["sources: expected at most one of kind stdin"],
        ),
    ],
)
def test_a_value_that_is_not_allowed(tmp_path: Path, text: str, parts: list[str]):
    line = fault(tmp_path, text)
    assert [part for part in parts if part not in line] == []


@pytest.mark.parametrize(
    "table", ['[webhook]\nurl = "{}"', '[engine.remote]\nurls = ["grpc://hall:1", "{}"]']
)
def test_a_password_in_a_url_is_not_shown(tmp_path: Path, table: str):
    line = fault(tmp_path, LEAST + table.format("http://me:s3cret@hall:8000/a"))
    assert "url" in line
    assert "expected " in line
    assert "s3cret" not in line


def test_several_faults_are_the_first_and_a_count(tmp_path: Path):
    line = fault(tmp_path, LEAST + "[engine]\nthreads = 0\nmax_batch = 0\nx = 1\n")
    assert line.startswith("engine.threads: ")
    assert line.endswith("(and 2 more)")


@pytest.mark.parametrize(
    "content", [b"bundle = ", b"[[sources]", b"\xff\xfe", b"bundle = 1\nbundle = 2"]
)
def test_not_toml(tmp_path: Path, content: bytes):
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"config\.toml: expected TOML: "):
        load_config(path)


def test_a_missing_config(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"config\.toml: cannot read the config: No such file"):
        load_config(tmp_path / "config.toml")


def test_a_config_that_is_a_directory(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot read the config: Is a directory"):
        load_config(tmp_path)


def test_a_path_may_begin_at_systemd_s_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/listener.service")
    config = load(
        tmp_path, LEAST + '[mqtt]\npassword_file = "$CREDENTIALS_DIRECTORY/mqtt-password"\n'
    )
    assert config.mqtt is not None
    assert config.mqtt.password_file == Path("/run/credentials/listener.service/mqtt-password")


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("$NOWHERE/secret", "$NOWHERE/secret: expected $NOWHERE in the environment, it is not set"),
        ("${NOWHERE}/x", "${NOWHERE}/x: expected ${NOWHERE} in the environment, it is not set"),
        ("~nobody-of-the-tests/x", "~nobody-of-the-tests/x: expected the home of a user, there is none"),
        ("a\\u0000b", r"expected a path, got 'a\x00b'"),
    ],
)  # fmt: skip
def test_a_path_that_cannot_be_expanded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, line: str
):
    monkeypatch.delenv("NOWHERE", raising=False)
    assert fault(tmp_path, LEAST + f'[mqtt]\npassword_file = "{path}"\n') == line


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"x = " + b"[" * 5000, "expected at most 32 nested tables, got more"),
        (b"a" + b".a" * 31 + b" = {}", "expected at most 32 nested tables, got more"),
        (b"a" + b".a" * 3000 + b" = 1", "expected at most 32 nested tables, got more"),
        (b"a" + b".a" * 30 + b" = {}", "bundle: Field required"),
        (b"x = " + b"9" * 5000, "expected TOML: "),
        (b"#" * 1_048_577, "expected at most 1048576 bytes, got more"),
    ],
)
def test_a_config_that_is_too_large_or_too_deep(tmp_path: Path, content: bytes, line: str):
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        load_config(path)
    assert str(error.value).startswith(f"{path}: {line}")

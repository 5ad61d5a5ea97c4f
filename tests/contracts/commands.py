"""The command lines: names, options, help, exit codes."""

from __future__ import annotations

import enum
from typing import Any, get_args, get_origin

import typer

from tests.contracts.dump import Dump

_WORDING = {
    "help",
    "short_help",
    "epilog",
    "callback",
    "type_descriptor",
    "deprecated",
    "rich_help_panel",
}
_BAD_CONFIGS = {
    "unknown_key": 'colour = "red"',
    "wrong_type": "[http]\nport = '1'",
    "out_of_range": "[http]\nport = 70000",
    "bad_slug": 'station = "No Slug"',
    "bad_choice": '[console]\nformat = "xml"',
    "not_toml": "= 1",
    "no_bundle": 'bundle = "nowhere"',
    "unset_variable": 'bundle = "$NOT_SET/b"',
    "control_without_mqtt": "[control]\nmqtt = true",
    "home_assistant_without_mqtt": "[homeassistant]\nenabled = true",
    "unknown_label": '[detection]\nlabels = ["nothing"]',
    "unknown_member": '[labels]\ndog = ["nothing"]',
    "thresholds_crossed": "[detection.default_policy]\non_threshold = 0.2\noff_threshold = 0.4",
    "hop_no_multiple": "[detection]\npatch_hop_seconds = 0.005",
    "quiet_of_nobody": '[[quiet]]\nbegin = "22:00"\nend = "07:00"\nlabels = []',
    "quiet_of_all": '[[quiet]]\nbegin = "22:00"\nend = "07:00"',
    "quiet_source": '[[quiet]]\nbegin = "22:00"\nend = "07:00"\nlabels = ["dog"]\nsources = ["x"]',
    "webhook_user": '[webhook]\nurl = "https://a:b@c.example"',
    "hook_relative": '[hook]\nprogram = ["say"]',
    "review_open": '[review]\nenabled = true\nhost = "0.0.0.0"',
    "remote_without_urls": '[engine]\nkind = "remote"',
    "short_token": '[control]\nhttp_token_file = "token"',
}
_WRONG_USES = [
    "listener",
    "listener dance",
    "listener --version",
    "listener run --config nowhere.toml",
    "listener run --colour red",
    "listener replay",
    "listener replay x.wav",
    "listener replay nowhere.wav --bundle {starter}",
    "listener replay a.wav b.wav --bundle {starter} --format audacity",
    "listener replay a.wav --bundle nowhere",
    "listener replay a.wav --bundle {starter} --format xml",
    "listener check --config nowhere.toml",
    "listener bench",
    "listener bench --sources 0",
    "listener watch --url http://127.0.0.1:1 --plain",
    "listener clips",
    "listener clips list --config nowhere.toml",
    "listener clips label X --config nowhere.toml",
    "listener clips export",
    "listener demo --bundle nowhere",
    "listener devices",
    "trainer",
    "trainer dance",
    "trainer backbone",
    "trainer backbone nowhere --out b",
    "trainer fit --data nowhere.csv --out b",
    "trainer fit --out b",
    "trainer calibrate {starter} --data nowhere.csv --false-alarms-per-day 1",
    "trainer calibrate {starter} --data x --false-alarms-per-day 0",
    "trainer evaluate nowhere --data x.csv",
    "trainer evaluate {starter} --data nowhere.csv",
    "trainer shrink {starter} --data nowhere.csv --out b",
    "trainer export nowhere --serving s",
    "trainer retrain --clips nowhere --base {starter} --out b",
    "trainer promote nowhere --models m",
    "trainer rollback --models nowhere",
    "trainer replay --clips c --bundle a --against b --since week",
    "trainer similar X --clips nowhere",
    "trainer soundscape --out s --sounds 9 --seconds 10",
    "trainer soundscape --out s --clips nowhere",
    "trainer search --data nowhere.csv --trials 1 --out f",
    "trainer starter --esc10 nowhere --teacher nowhere --out b",
]


def dump_commands(dump: Dump) -> None:
    """Every command's options and arguments, and in a file of its own their help."""
    from listener.cli import app as listener_app  # noqa: PLC0415 - what it lacks fails this part alone
    from trainer.cli import app as trainer_app  # noqa: PLC0415

    helps = []
    for program, app in (("listener", listener_app), ("trainer", trainer_app)):
        found = dict(_commands(typer.main.get_command(app), [program]))
        dump.json(f"{program}.json", found)
        for name in sorted(found):
            done = dump.run(*name.split(), "--help")
            helps.append(f"$ {name} --help  # {done.code}\n{done.out}{done.err}")
    dump.text("help.txt", "\n".join(helps))


def _commands(command: Any, path: list[str]) -> Any:
    yield (
        " ".join(path),
        {"hidden": command.hidden, "parameters": [_parameter(p) for p in command.params]},
    )
    for name, below in sorted(getattr(command, "commands", {}).items()):
        yield from _commands(below, [*path, name])


def _parameter(parameter: Any) -> dict[str, Any]:
    found = {
        key: value
        for key, value in vars(parameter).items()
        if key not in _WORDING and key[0] != "_"
    }
    descriptor, default = parameter.type_descriptor, parameter.default
    return found | {
        "default": default.value if isinstance(default, enum.Enum) else default,
        "type": _type(getattr(descriptor, "annotation", None)),
    }


def _type(annotation: Any) -> Any:
    if get_origin(annotation) is not None:
        return [str(get_origin(annotation).__name__), *map(_type, get_args(annotation))]
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return sorted(str(member.value) for member in annotation)  # its name may change
    return getattr(annotation, "__name__", str(annotation))


def dump_wrong_uses(dump: Dump) -> None:
    """The exit code of many mistakes, and in a file of its own what is said of them."""
    (dump.work / "token").write_text("short")
    uses = {use: use.format(starter=dump.starter).split() for use in _WRONG_USES}
    for name, lines in _BAD_CONFIGS.items():
        (dump.work / f"{name}.toml").write_text(_with_source(lines, dump))
        uses[f"listener run # {name}"] = ["listener", "run", "--config", f"{name}.toml"]
    done = {use: dump.run(*arguments) for use, arguments in uses.items()}
    dump.json("exit_codes.json", {use: [each.code, bool(each.out)] for use, each in done.items()})
    said = [f"$ {use}\n{each.out}{_without_frames(each.err)}" for use, each in done.items()]
    dump.text("mistakes.txt", "\n".join(said))


def _without_frames(text: str) -> str:
    """The last line alone of what holds a traceback, whose lines move with the code."""
    return text.splitlines()[-1] + "\n" if "Traceback" in text else text


def _with_source(lines: str, dump: Dump) -> str:
    bundle = "" if lines.startswith("bundle") else f'bundle = "{dump.starter}"\n'
    top, _, tables = lines.partition("[") if lines[0] != "[" else ("", "", lines[1:])
    source = '[[sources]]\nname = "a"\nkind = "file"\npath = "a.wav"\n'
    return f"{bundle}{top}\n{source}" + (f"[{tables}\n" if tables else "")

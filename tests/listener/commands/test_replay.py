"""`listener replay`: files in, one event a line out; what nearly was one is told apart."""

from __future__ import annotations

import csv
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from listener.detection.bundle import Bundle
from tests.listener.commands.program import one_line, own_lines, run_listener
from tests.listener.detection.waveforms import noise
from tests.listener.scenes import TOLERANCE_SECONDS, TRUTH, two_tones, write_damaged, write_sound
from tests.listener.sources.lying import encode, flac_saying
from tests.rigs.mosquitto import free_port
from tests.rigs.station import write_toml


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sound(tmp_path_factory.mktemp("sounds") / "two tönes, ok.wav", two_tones())


def check_spans(found: list[tuple[str, float, float]]) -> None:
    assert [label for label, _, _ in found] == [label for label, _, _ in TRUTH]
    for (_, onset, offset), (_, true_onset, true_offset) in zip(found, TRUTH, strict=True):
        assert onset == pytest.approx(true_onset, abs=TOLERANCE_SECONDS)
        assert offset == pytest.approx(true_offset, abs=TOLERANCE_SECONDS)


def read_jsonl(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_jsonl_is_one_event_a_line(sound: Path, tones_bundle: Bundle):
    done = run_listener("replay", sound, "--bundle", tones_bundle.path)
    assert (done.returncode, own_lines(done.stderr)) == (0, [])
    events = read_jsonl(done.stdout)
    check_spans([(event["label"], event["onset"], event["offset"]) for event in events])
    assert all(event["file"] == str(sound) for event in events)
    assert all(event["bundle"] == "tones@1" and event["reason"] is None for event in events)
    assert all(0.9 < event["mean_score"] <= event["peak_score"] <= 1.0 for event in events)


def test_csv_has_the_columns_of_sed_tools_and_audacity_its_labels(
    sound: Path, tones_bundle: Bundle, tmp_path: Path
):
    done = run_listener("replay", sound, "--bundle", tones_bundle.path, "--format", "csv")
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert list(rows[0])[:4] == ["filename", "onset", "offset", "event_label"]
    check_spans([(r["event_label"], float(r["onset"]), float(r["offset"])) for r in rows])
    assert rows[0]["filename"] == str(sound)

    scores = tmp_path / "scores.npz"
    arguments = ("--format", "audacity", "--scores", scores)
    done = run_listener("replay", sound, "--bundle", tones_bundle.path, *arguments)
    cells = [line.split("\t") for line in done.stdout.splitlines()]
    check_spans([(label, float(onset), float(offset)) for onset, offset, label in cells])
    with np.load(scores, allow_pickle=False) as stored:
        assert stored["scores"].shape == (18, 3)
        assert stored["boundaries"].shape == (19,)
        assert stored["labels"].tolist() == ["low_tone", "high_tone", "noise"]


def test_what_cannot_be_read_is_a_line_each_and_the_others_are_analysed(
    sound: Path, tones_bundle: Bundle, tmp_path: Path
):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "garbage.wav").write_bytes(b"RIFF garbage")
    bad = [tmp_path / name for name in ("missing.wav", "empty.wav", "garbage.wav")] + [tmp_path]
    nan = noise(16_000)
    nan[:100] = np.nan
    odd = write_sound(tmp_path / "nan.wav", nan)
    files = [bad[0], sound, *bad[1:], odd, sound]
    done = run_listener("replay", *files, "--bundle", tones_bundle.path)
    assert done.returncode == 2
    told = own_lines(done.stderr)
    assert [line.split(": ")[:2] for line in told] == [["listener", str(path)] for path in bad]
    events = read_jsonl(done.stdout)
    assert [e["label"] for e in events if e["file"] == str(sound)] == ["low_tone", "high_tone"] * 2
    assert {event["file"] for event in events} <= {str(sound), str(odd)}


def test_what_was_found_before_a_fault_is_printed_and_then_the_error(
    tones_bundle: Bundle, tmp_path: Path
):
    path = write_damaged(tmp_path / "bad.flac")
    done = run_listener("replay", path, "--bundle", tones_bundle.path)
    assert done.returncode == 2
    assert read_jsonl(done.stdout)[0]["label"] == "low_tone"
    assert own_lines(done.stderr)[-1].startswith(f"listener: {path}: cannot be read further: ")


def test_a_header_that_lies_is_a_warning_and_the_end_is_normal(
    tones_bundle: Bundle, tmp_path: Path
):
    path = tmp_path / "half.flac"
    path.write_bytes(flac_saying(9 * 8_000)(two_tones()))
    done = run_listener("replay", path, "--bundle", tones_bundle.path)
    check_spans([(e["label"], e["onset"], e["offset"]) for e in read_jsonl(done.stdout)])
    (line,) = own_lines(done.stderr)
    assert line.endswith(f"{path}: its header says 4.5 s, it holds 9.0 s")
    assert done.returncode == 0


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_name_that_is_not_utf_8_is_escaped(tones_bundle: Bundle, tmp_path: Path, form: str):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav"))
    path.write_bytes(encode(two_tones(), "WAV"))
    gone = path.with_suffix(".gone")
    done = run_listener("replay", path, gone, "--bundle", tones_bundle.path, "--format", form)
    assert done.returncode == 2  # of the second alone
    if form == "jsonl":  # a program gets the name back
        assert {event["file"] for event in read_jsonl(done.stdout)} == {str(path)}
    else:
        assert r"caf\udce9.wav,0." in done.stdout
    assert r"caf\udce9.gone: cannot be read: No such file" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_config_chooses_labels_policies_and_bundle(
    sound: Path, tones_bundle: Bundle, tmp_path: Path
):
    config = write_toml(
        tmp_path / "config.toml",
        {
            "bundle": tones_bundle.path,
            "sources": [{"name": "a", "kind": "microphone"}],
            "detection": {"labels": ["high_tone"]},
        },
    )
    done = run_listener("replay", sound, "--config", config)
    assert [event["label"] for event in read_jsonl(done.stdout)] == ["high_tone"]


def test_a_running_station_hears_the_same(sound: Path, tones_bundle: Bundle, tmp_path: Path):
    """`run` on the same file: the same times, scores and order."""
    config = write_toml(
        tmp_path / "config.toml",
        {
            "bundle": tones_bundle.path,
            "sources": [{"name": "a", "kind": "file", "path": sound, "pace": "fast"}],
            "console": {"format": "jsonl"},
            "http": {"port": free_port()},
        },
    )
    ran = run_listener("run", "--config", config)
    assert ran.returncode == 0, ran.stderr
    live = [event for event in read_jsonl(ran.stdout) if event["phase"] == "end"]
    replayed = read_jsonl(run_listener("replay", sound, "--config", config).stdout)
    assert len(live) == len(replayed) == 2
    for one, other in zip(live, replayed, strict=True):
        assert [one["onset"], one["offset"]] == [iso(other["onset"]), iso(other["offset"])]
        for key in ("label", "peak_score", "mean_score", "level_dbfs", "reason"):
            assert one[key] == other[key]


def iso(seconds: float) -> str:
    milliseconds = round(math.fmod(seconds, 60.0) * 1000)
    return f"1970-01-01T00:00:{milliseconds // 1000:02d}.{milliseconds % 1000:03d}Z"


@pytest.fixture
def strict(tones_bundle: Bundle, tmp_path: Path) -> Path:
    """A config whose thresholds the tones do not reach."""
    policies = {
        label: {"on_threshold": 1.0, "off_threshold": 0.3} for label in ("low_tone", "noise")
    }
    document = {
        "bundle": tones_bundle.path,
        "sources": [{"name": "a", "kind": "microphone"}],
        "detection": {"labels": ["low_tone", "noise"], "policies": policies},
    }
    return write_toml(tmp_path / "config.toml", document)


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_file_without_events_says_what_came_nearest(sound: Path, strict: Path, form: str):
    done = run_listener("replay", sound, "--config", strict, "--format", form)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == (form == "csv")  # its head
    (line,) = own_lines(done.stderr)
    assert line.startswith(f"{sound}: nearest miss: low_tone 0.99 of 1.00 at ")


def test_near_misses_are_lines_of_their_own_for_programs(sound: Path, strict: Path):
    done = run_listener("replay", sound, "--config", strict, "--near-misses")
    (miss,) = read_jsonl(done.stdout)
    assert own_lines(done.stderr) == []
    assert (miss["file"], miss["near_miss"], miss["on_threshold"]) == (str(sound), "low_tone", 1.0)
    assert 0.9 < miss["score"] < 1.0
    assert 0.5 < miss["at"] < 4.0
    assert "label" not in miss


def test_silence_has_a_nearest_miss_too(tones_bundle: Bundle, tmp_path: Path):
    quiet = write_sound(tmp_path / "quiet.wav", np.zeros(32_000, np.float32))
    done = run_listener("replay", quiet, "--bundle", tones_bundle.path)
    (line,) = own_lines(done.stderr)
    assert line.startswith(f"{quiet}: nearest miss: ")
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--format", "csv", "--near-misses"], "--near-misses: expected --format jsonl, got csv"),
        ([], "expected a bundle: give --bundle, --config or EARSHOT_BUNDLE"),
        (["--bundle", "/nowhere"], "/nowhere: expected a bundle directory with bundle.json"),
        (["--config", "/nowhere.toml"], "/nowhere.toml: cannot read the config"),
        (["--format", "xml"], "Invalid value for '--format'"),
        (["b.wav", "--scores", "s.npz"], "--scores and --format audacity: expected one file"),
        (["b.wav", "--format", "audacity"], "--scores and --format audacity: expected one file"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(arguments: list[str], line: str):
    done = run_listener("replay", "a.wav", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert line in one_line(done.stderr)


def test_scores_that_cannot_be_stored_are_one_line(sound: Path, tones_bundle: Bundle):
    target = "/nowhere/scores.npz"
    done = run_listener("replay", sound, "--bundle", tones_bundle.path, "--scores", target)
    assert done.returncode == 2
    assert (
        one_line(done.stderr) == f"--scores {target}: cannot be written: No such file or directory"
    )

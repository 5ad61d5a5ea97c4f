"""`listener clips`, the real command on a real store."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from listener.clips.store import ClipStore
from listener.detection.bundle import Bundle
from listener.detection.clip import Verdict
from tests.listener.clips.drafts import NOON, clip_id, heard, make_draft, open_store, right
from tests.listener.commands.program import one_line, run_listener
from tests.rigs.station import write_toml
from trainer.data.formats import read_clips


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ClipStore]:
    """A dog that is right, one that is wrong, a glass instead, one without a verdict, ambient sound."""
    with closing(open_store(tmp_path)) as store:
        for number in range(4):
            store.add(make_draft(number))
        store.add(make_draft(4, reason="ambient", event=None, labels=(), score=None))
        store.judge(clip_id(0), right())
        store.judge(clip_id(1), Verdict("wrong", "anna", NOON))
        store.judge(clip_id(2), heard("glass", 0.25, 0.75))
        yield store


@pytest.fixture
def config(tmp_path: Path, tones_bundle: Bundle) -> Path:
    document = {
        "bundle": tones_bundle.path,
        "sources": [{"name": "hall", "kind": "file", "path": "none.wav"}],
        "clips": {"directory": "clips"},
    }
    return write_toml(tmp_path / "config.toml", document)


@pytest.mark.usefixtures("store")
def test_a_list_shows_what_was_asked_for(config: Path):
    done = run_listener("clips", "list", "--config", config, "--label", "dog")
    assert done.returncode == 0
    rows = [line for line in done.stdout.splitlines() if line.startswith("│ 01")]
    assert [row.split()[1] for row in rows] == [clip_id(number) for number in (3, 2, 1, 0)]
    cells = [cell.strip() for cell in rows[1].split("│")[1:-1]]
    assert cells[2:] == ["hall", "2.0", "event", "dog", "0.90", "glass"]


@pytest.mark.usefixtures("store")
def test_a_list_for_programs_is_a_record_a_line(config: Path):
    done = run_listener(
        "clips", "list", "--config", config, "--format", "jsonl", "--verdict", "any", "--limit", "2"
    )
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["id"] for record in records] == [clip_id(2), clip_id(1)]
    assert Path(records[0]["path"]).is_file()
    more = run_listener(
        "clips", "list", "--config", config, "--format", "jsonl", "--verdict", "any",
        "--after", records[-1]["id"],
    )  # fmt: skip
    assert [json.loads(line)["id"] for line in more.stdout.splitlines()] == [clip_id(0)]


@pytest.mark.usefixtures("store")
def test_a_clip_is_shown_with_all_that_is_known(config: Path):
    done = run_listener("clips", "show", clip_id(2), "--config", config)
    document = json.loads(done.stdout)
    assert document["verdicts"][0]["labels"] == [{"label": "glass", "onset": 0.25, "offset": 0.75}]
    assert document["event"]["label"] == "dog"


def test_a_near_miss_shows_its_threshold_and_when(store: ClipStore, config: Path):
    store.add(make_draft(5, reason="near_miss", event=None, score=0.86, on_threshold=0.94))
    done = run_listener("clips", "list", "--config", config, "--reason", "near_miss")
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("│ 01")]
    assert [cell.strip() for cell in row.split("│")][7:8] == ["0.86 of 0.94 at 0.5 s"]


def test_a_missed_sound_is_shown_with_the_label_that_came_nearest(store: ClipStore, config: Path):
    """The scores are 0.75 and 0.25 throughout, and the policies those of the station's bundle."""
    draft = make_draft(5, reason="missed", event=None, labels=(), score=None, on_threshold=None)
    store.add(replace(draft, analysis=replace(draft.analysis, labels=("other", "low_tone"))))
    done = run_listener("clips", "show", clip_id(5), "--config", config)
    assert json.loads(done.stdout)["nearest_miss"] == {
        "label": "low_tone",
        "score": 0.25,
        "on_threshold": 0.5,
        "at": 0.0,
        "min_duration_seconds": 0.0,
    }


@pytest.mark.parametrize(
    ("options", "verdict"),
    [
        (["--right"], ("right", [])),
        (["--wrong"], ("wrong", [])),
        (
            ["--label", "low_tone@0.5-1.25", "--label", "noise"],
            ("labels", [("low_tone", 0.5, 1.25), ("noise", 0.0, 2.0)]),
        ),
    ],
)
def test_a_verdict_from_the_shell_is_kept(
    store: ClipStore, config: Path, options: list[str], verdict: tuple[str, list[object]]
):
    done = run_listener("clips", "label", clip_id(3), *options, "--who", "bert", "--config", config)
    assert done.returncode == 0, done.stderr
    found = store.get(clip_id(3)).verdict
    assert found is not None
    assert found.who == "bert"
    spans = [(span.label, span.onset, span.offset) for span in found.labels]
    assert (found.value, spans) == verdict
    assert json.loads(done.stdout)["verdicts"][-1]["who"] == "bert"


REFUSED = {
    "no verdict": ([], "expected one of --right, --wrong and --label"),
    "two verdicts": (["--right", "--wrong"], "expected one of --right, --wrong and --label"),
    "unknown label": (["--label", "dog"], "expected labels of the bundle"),
    "no span": (["--label", "noise@1"], "expected NAME or NAME@ON-OFF in seconds"),
    "backward": (["--label", "noise@2-1"], "expected 0 <= ON < OFF"),
    "outside": (["--label", "noise@1-9"], "expected an offset up to 2 s"),
    "no name": (["--right", "--who", "a\nb"], "--who: expected a name in one line"),
}


@pytest.mark.parametrize(("options", "line"), REFUSED.values(), ids=REFUSED)
def test_a_verdict_that_cannot_be_is_one_line(
    store: ClipStore, config: Path, options: list[str], line: str
):
    done = run_listener("clips", "label", clip_id(3), "--config", config, *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert line in one_line(done.stderr)
    assert store.get(clip_id(3)).verdicts == ()


def test_an_unknown_clip_and_a_missing_store_are_one_line(store: ClipStore, config: Path):
    done = run_listener("clips", "show", clip_id(9), "--config", config)
    assert done.returncode == 2
    assert "expected the id of a stored clip" in one_line(done.stderr)
    store.close()
    config.write_text(config.read_text().replace('"clips"', '"elsewhere"'))
    done = run_listener("clips", "list", "--config", config)
    assert done.returncode == 2
    assert "elsewhere: expected a clip store" in one_line(done.stderr)


EXPECTED_ROWS = [
    (clip_id(4), "", "", ""),
    (clip_id(2), "0.250", "0.750", "glass"),
    (clip_id(1), "", "", ""),
    (clip_id(0), "0.500", "1.500", "dog"),
]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_an_export_is_a_data_set_that_the_trainer_reads(config: Path, tmp_path: Path, name: str):
    out = tmp_path / name
    done = run_listener("clips", "export", out, "--config", config)
    assert (done.returncode, done.stdout) == (0, f"{out}\n"), done.stderr
    folder = out
    if out.suffix == ".zip":
        folder = tmp_path / "unpacked"
        with zipfile.ZipFile(out) as archive:
            archive.extractall(folder)
    with (folder / "clips.csv").open(newline="") as lines:
        header, *rows = csv.reader(lines)
    assert header == ["filename", "onset", "offset", "label"]
    assert rows == [[f"{id_}.flac", *cells] for id_, *cells in EXPECTED_ROWS]
    table = read_clips([folder])
    assert {clip.path.stem: set(clip.labels) for clip in table.clips} == {
        clip_id(0): {"dog"},
        clip_id(1): {"background"},
        clip_id(2): {"glass"},
        clip_id(4): {"background"},
    }
    assert not list(tmp_path.glob(".export-*"))


@pytest.mark.usefixtures("store")
def test_an_export_replaces_nothing_and_needs_something(config: Path, tmp_path: Path):
    done = run_listener("clips", "export", tmp_path, "--config", config)
    assert "expected a free name" in one_line(done.stderr)
    done = run_listener(
        "clips", "export", tmp_path / "x", "--since", "2099-01-01", "--config", config
    )
    assert "expected clips with a verdict or ambient ones" in one_line(done.stderr)
    assert not (tmp_path / "x").exists()

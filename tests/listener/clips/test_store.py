"""The store: clips go in whole, come back as they went, are found, judged, and survive what happens."""

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from listener.clips.index import ClipFilter, Totals
from listener.clips.store import ClipStore
from listener.detection.clip import ClipError, UnknownClipError, Verdict
from listener.detection.clip_files import (
    analysis_path,
    clip_bytes,
    read_audio,
    read_sidecar,
    sidecar_path,
)
from tests.listener.clips.drafts import (
    DAY_SECONDS,
    LABELS,
    NOON,
    SLOTS,
    Opener,
    clip_id,
    heard,
    make_draft,
    open_store,
    right,
)
from tests.listener.detection.waveforms import RATE_HZ


@pytest.fixture
def store(open_store: Opener, tmp_path: Path) -> ClipStore:
    return open_store(tmp_path)


def test_a_clip_comes_back_as_it_went(store: ClipStore):
    draft = make_draft()
    record = store.add(draft)
    assert record == replace(draft.record, path=record.path)
    assert store.get(record.id) == record
    samples, rate_hz = read_audio(record)
    assert rate_hz == RATE_HZ
    assert np.array_equal(samples, np.round(draft.samples * 32_768) / 32_768)
    analysis = store.analysis(record.id)
    assert analysis.labels == LABELS
    assert analysis.boundaries == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0])
    assert np.array_equal(analysis.scores, draft.analysis.scores)
    assert analysis.embeddings.shape == (SLOTS, 2)


def test_files_are_named_by_day_and_id_and_are_for_the_owner_alone(
    store: ClipStore, tmp_path: Path
):
    record = store.add(make_draft())
    folder = tmp_path / "clips" / "2026" / "11" / "21"
    assert record.path == folder / f"{record.id}.flac"
    suffixes = (".flac", ".json", ".npz")
    assert sorted(path.name for path in folder.iterdir()) == [
        f"{record.id}{suffix}" for suffix in suffixes
    ]
    for path in (tmp_path / "clips").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
    assert not [path for path in (tmp_path / "clips").rglob("*") if "dog" in path.name]


def test_a_clip_that_is_there_stays_as_it_is(store: ClipStore):
    store.add(make_draft())
    judged = store.judge(clip_id(0), right())
    assert store.add(make_draft()) == judged
    assert store.totals().clips == 1


def test_an_unknown_clip_is_refused(store: ClipStore):
    for ask in (store.get, store.analysis, store.similar, lambda id_: store.judge(id_, right())):
        with pytest.raises(
            UnknownClipError, match=f"expected the id of a stored clip.*{clip_id(7)}"
        ):
            ask(clip_id(7))


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "x" * 26, "/", "Z" * 26])
def test_an_id_that_is_none_touches_no_file(store: ClipStore, tmp_path: Path, name: str):
    before = sorted(tmp_path.rglob("*"))
    for ask in (store.get, lambda id_: store.judge(id_, right())):
        with pytest.raises(ClipError):
            ask(name)
    assert sorted(tmp_path.rglob("*")) == before


FILTERS = {
    "all": (ClipFilter(), [3, 2, 1, 0]),
    "source": (ClipFilter(source="yard"), [1]),
    "label": (ClipFilter(label="dog"), [3, 1, 0]),
    "reason": (ClipFilter(reason="ambient"), [2]),
    "judged": (ClipFilter(verdict="any"), [3, 0]),
    "not judged": (ClipFilter(verdict="none"), [2, 1]),
    "right": (ClipFilter(verdict="right"), [0]),
    "wrong": (ClipFilter(verdict="wrong"), [3]),
    "since": (ClipFilter(since=NOON + 1), [3, 2, 1]),
    "until": (ClipFilter(until=NOON + 1), [0]),
    "two": (ClipFilter(label="dog", verdict="none"), [1]),
    "none": (ClipFilter(label="glass"), []),
}


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClipStore]:
    with closing(open_store(tmp_path_factory.mktemp("four"))) as store:
        store.add(make_draft(0))
        store.add(make_draft(1, source="yard"))
        store.add(make_draft(2, reason="ambient", event=None, labels=(), score=None))
        store.add(make_draft(3))
        store.judge(clip_id(0), right())
        store.judge(clip_id(3), Verdict("wrong", "bert", NOON))
        yield store


@pytest.mark.parametrize(("wanted", "numbers"), FILTERS.values(), ids=FILTERS)
def test_clips_are_found_by_what_is_known_of_them_newest_first(
    four: ClipStore, wanted: ClipFilter, numbers: list[int]
):
    assert [record.id for record in four.find(wanted)] == [clip_id(number) for number in numbers]


def test_pages_follow_each_other(four: ClipStore):
    first = four.find(limit=3)
    assert [record.id for record in first] == [clip_id(number) for number in (3, 2, 1)]
    rest = four.find(limit=3, after=first[-1].id)
    assert [record.id for record in rest] == [clip_id(0)]


def test_totals_are_those_of_the_files(four: ClipStore):
    size = sum(clip_bytes(record.path) for record in four.find())
    assert four.totals() == Totals(clips=4, judged=2, bytes=size)


def test_it_knows_what_is_free_on_its_disk(store: ClipStore, tmp_path: Path):
    assert 0 < store.free_bytes() < shutil.disk_usage(tmp_path).total
    shutil.rmtree(tmp_path)
    with pytest.raises(ClipError, match="the disk cannot be read: No such file"):
        store.free_bytes()


def test_similar_clips_come_nearest_first_without_the_one_asked_for(store: ClipStore):
    directions = [(1.0, 0.0), (0.0, 1.0), (2.0, 2.0), (-1.0, 0.0)]
    for number, direction in enumerate(directions):
        store.add(make_draft(number, embedding=direction))
    found = store.similar(clip_id(0), count=2)
    assert [clip.record.id for clip in found] == [clip_id(2), clip_id(1)]
    assert [clip.similarity for clip in found] == pytest.approx([0.5**0.5, 0.0], abs=1e-3)
    nearest = store.similar(np.array([0.0, 5.0], np.float32), count=1)
    assert [clip.record.id for clip in nearest] == [clip_id(1)]
    assert store.similar(np.ones(3, np.float32)) == ()  # embeddings of another length


def test_a_verdict_is_the_latest_of_its_history(store: ClipStore):
    store.add(make_draft())
    store.judge(clip_id(0), right("anna"))
    record = store.judge(clip_id(0), heard("glass"))
    assert [(v.value, v.who) for v in record.verdicts] == [("right", "anna"), ("labels", "anna")]
    assert record.verdict == heard("glass")
    assert record.heard == heard("glass").labels
    assert read_sidecar(sidecar_path(record.path)) == record == store.get(record.id)


REFUSED = {
    "unknown label": (heard("cat"), "expected labels of the bundle .*got 'cat'"),
    "span outside": (heard("dog", 1.0, 2.5), "dog: expected an offset up to 2 s, got 2.5"),
}


@pytest.mark.parametrize(("verdict", "line"), REFUSED.values(), ids=REFUSED)
def test_a_verdict_that_cannot_be_is_refused_and_changes_nothing(
    store: ClipStore, verdict: Verdict, line: str
):
    before = store.add(make_draft())
    with pytest.raises(ClipError, match=line):
        store.judge(before.id, verdict)
    assert store.get(before.id) == read_sidecar(sidecar_path(before.path)) == before


def test_wrong_is_no_answer_for_a_clip_that_stands_for_nothing(store: ClipStore):
    store.add(make_draft(reason="ambient", event=None, labels=(), score=None))
    with pytest.raises(ClipError, match="expected the labels that it holds, got wrong"):
        store.judge(clip_id(0), Verdict("wrong", "anna", NOON))


def test_new_labels_are_slugs_and_need_the_config(open_store: Opener, tmp_path: Path):
    store = open_store(tmp_path, new_labels=True)
    store.add(make_draft())
    assert store.judge(clip_id(0), heard("cat")).heard == heard("cat").labels
    with pytest.raises(ClipError, match="expected a label of a-z"):
        store.judge(clip_id(0), heard("../Cat"))


def test_the_queue_holds_first_what_teaches_most(store: ClipStore):
    store.add(make_draft(0))  # 0.9, far over its threshold
    store.add(make_draft(1, score=0.55))
    store.add(make_draft(2, reason="missed", event=None, labels=(), score=None))
    store.add(make_draft(3, score=0.51))
    store.judge(clip_id(3), right())
    store.add(make_draft(4, score=0.55, at=NOON - 30 * DAY_SECONDS))
    order = [record.id for record in store.review_queue()]
    month_ago = clip_id(4, NOON - 30 * DAY_SECONDS)
    assert order == [clip_id(2), clip_id(1), clip_id(0), month_ago]
    assert [record.id for record in store.review_queue(limit=1)] == [clip_id(2)]


BROKEN_INDEXES: dict[str, Callable[[Path], object]] = {
    "missing": shutil.rmtree,
    "garbage": lambda folder: (folder / "index.sqlite").write_bytes(b"no database" * 1000),
    "empty": lambda folder: (folder / "index.sqlite").write_bytes(b""),
    "torn": lambda folder: tear(folder / "index.sqlite"),
    "of another version": lambda folder: age(folder / "index.sqlite"),
    "without tables": lambda folder: empty(folder / "index.sqlite"),
    "without embeddings": lambda folder: (folder / "embeddings-2.f32").unlink(),
}


def tear(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[100:] = b"\xff" * (len(content) - 100)
    path.write_bytes(content)


def age(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[60:64] = (77).to_bytes(4, "big")  # user_version, https://sqlite.org/fileformat.html
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 1")


@pytest.mark.parametrize("fault", BROKEN_INDEXES)
def test_an_index_that_cannot_be_used_is_made_again(open_store: Opener, tmp_path: Path, fault: str):
    store = open_store(tmp_path)
    for number in range(3):
        store.add(make_draft(number, embedding=(number, 1.0)))
    store.judge(clip_id(1), right())
    expected = store.find(), store.totals(), store.similar(clip_id(2))
    store.close()
    BROKEN_INDEXES[fault](tmp_path / "clips" / "index")
    again = open_store(tmp_path)
    assert (again.find(), again.totals(), again.similar(clip_id(2))) == expected


def test_what_was_changed_behind_the_index_is_seen_at_the_next_start(
    open_store: Opener, store: ClipStore, tmp_path: Path
):
    records = [store.add(make_draft(number)) for number in range(3)]
    sidecar = sidecar_path(records[0].path)
    document = json.loads(sidecar.read_text())
    document["verdicts"] = [{"value": "wrong", "who": "editor", "at": NOON}]
    sidecar.write_text(json.dumps(document))
    sidecar_path(records[1].path).unlink()
    store.close()
    again = open_store(tmp_path)
    assert [record.id for record in again.find()] == [clip_id(2), clip_id(0)]
    verdict = again.get(clip_id(0)).verdict
    assert verdict is not None
    assert verdict.who == "editor"
    assert not records[1].path.exists()  # without a sidecar it was never finished
    assert not analysis_path(records[1].path).exists()


GARBAGE = {
    "sidecar": lambda path: sidecar_path(path).write_text("{"),
    "scores": lambda path: analysis_path(path).write_bytes(b"PK\x03\x04"),
    "audio": lambda path: path.unlink(),
    "id": lambda path: sidecar_path(path).write_text(
        sidecar_path(path).read_text().replace(path.stem, clip_id(99))
    ),
}


@pytest.mark.parametrize("fault", GARBAGE)
def test_a_clip_that_cannot_be_read_is_quarantined_and_logged(
    open_store: Opener,
    store: ClipStore,
    tmp_path: Path,
    fault: str,
    caplog: pytest.LogCaptureFixture,
):
    records = [store.add(make_draft(number)) for number in range(2)]
    store.close()
    shutil.rmtree(tmp_path / "clips" / "index")
    GARBAGE[fault](records[0].path)
    again = open_store(tmp_path)
    assert [record.id for record in again.find()] == [clip_id(1)]
    kept = {path.name for path in (tmp_path / "clips" / "quarantine").iterdir()}
    assert f"{clip_id(0)}.json" in kept
    assert [r for r in caplog.records if "quarantine" in r.message and clip_id(0) in r.message]


def test_two_stores_of_one_directory_see_each_others_clips_and_verdicts(
    open_store: Opener, tmp_path: Path
):
    daemon, shell = open_store(tmp_path), open_store(tmp_path)
    daemon.add(make_draft())
    shell.judge(clip_id(0), right("shell"))
    record = daemon.judge(clip_id(0), right("daemon"))
    assert [verdict.who for verdict in record.verdicts] == ["shell", "daemon"]
    assert shell.get(clip_id(0)) == record


def test_an_index_that_holds_something_else_is_one_line(tmp_path: Path):
    with closing(open_store(tmp_path)) as store:
        record = store.add(make_draft())
        with closing(sqlite3.connect(tmp_path / "clips" / "index" / "index.sqlite")) as other:
            other.execute("UPDATE records SET content = '{}'")
            other.commit()
        with pytest.raises(ClipError, match=f"clip {record.id}: the index holds something else"):
            store.get(record.id)

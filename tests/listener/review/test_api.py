"""What the page asks for, over real sockets from a real uvicorn."""

import io
import json
import threading
import time
from base64 import b64decode
from collections.abc import Generator, Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pytest
import soundfile

from listener.config.station import ConfigError, ReviewSettings
from listener.detection.clip import LabelSpan
from listener.detection.features import Patch
from listener.detection.params import FeatureParams
from listener.review.live import MAX_WATCHERS
from listener.review.server import ReviewServer
from listener.sinks.sink import PatchNotice, SourceStatus
from tests.listener.clips.drafts import LABELS, NOON, SECONDS, clip_id
from tests.listener.review.rig import Rig, review_rig
from tests.rigs.mosquitto import wait_until


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with review_rig(tmp_path_factory.mktemp("review")) as rig:
        yield rig


@pytest.fixture
def own_rig(tmp_path: Path) -> Iterator[Rig]:
    """For who changes something."""
    with review_rig(tmp_path) as rig:
        yield rig


def test_the_station_says_what_it_is(rig: Rig):
    said = rig.read("station")
    assert said.pop("now") == pytest.approx(time.time(), abs=60)
    assert said == {
        "station": "test",
        "sources": {"hall": "offline"},
        "labels": {"dog": "Dog", "glass": "Glass"},
        "new_labels": False,
        "clips": {"stored": 3, "judged": 0},
        "commands": True,
    }


def test_clips_come_newest_first_page_by_page(rig: Rig):
    ids = [clip_id(number) for number in (2, 1, 0)]
    assert [clip["id"] for clip in rig.read("clips")] == ids
    assert [clip["id"] for clip in rig.read("clips?limit=2")] == ids[:2]
    assert [clip["id"] for clip in rig.read(f"clips?limit=2&after={ids[1]}")] == ids[2:]
    assert rig.read("clips?label=glass") == []
    assert len(rig.read("clips?label=dog&source=hall&verdict=none&reason=event")) == 3


def test_a_clip_is_its_sidecar(rig: Rig):
    clip = rig.read(f"clips/{clip_id(0)}")
    assert (clip["source"], clip["captured_at"], clip["seconds"]) == ("hall", NOON, SECONDS)
    assert clip["labels"] == [{"label": "dog", "onset": 0.5, "offset": 1.5}]
    assert (clip["verdict"], clip["verdicts"]) == (None, [])
    assert "path" not in clip


def test_the_queue_begins_at_the_threshold(rig: Rig):
    """The scores are 0.5, 0.6 and 0.7, the threshold 0.5."""
    assert [clip["id"] for clip in rig.read("queue")] == [clip_id(number) for number in range(3)]


def test_the_audio_is_flac_whole_and_in_ranges(rig: Rig):
    path = f"/api/clips/{clip_id(1)}/audio"
    status, whole, headers = rig.ask("GET", path)
    assert (status, headers["Content-Type"]) == (200, "audio/flac")
    samples, rate = soundfile.read(io.BytesIO(whole))
    assert len(samples) == SECONDS * rate
    status, part, headers = rig.ask("GET", path, Range="bytes=100-299")
    assert (status, headers["Content-Range"]) == (206, f"bytes 100-299/{len(whole)}")
    assert part == whole[100:300]


def test_the_picture_shows_the_tone_and_the_scores(rig: Rig):
    """A sine of 440 Hz: one row is the brightest all the time, in the lower third."""
    picture = rig.read(f"clips/{clip_id(0)}/picture")
    pixels = np.frombuffer(b64decode(picture["log_mel"]), np.uint8)
    pixels = pixels.reshape(picture["columns"], picture["bands"])
    assert len(pixels) == 1 + (SECONDS * 16_000 - 400) // 160
    (brightest,) = set(pixels.argmax(axis=1).tolist())
    assert brightest < 20
    assert picture["boundaries"] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert picture["scores"] == dict(zip(LABELS, ([0.75] * 4, [0.25] * 4), strict=True))


def test_what_sounds_alike_comes_first(rig: Rig):
    """Beside (1, 0): (0.9, 0.1) and (0, 1)."""
    found = rig.read(f"clips/{clip_id(0)}/similar")
    assert [clip["id"] for clip in found] == [clip_id(2), clip_id(1)]
    assert [clip["similarity"] for clip in found] == pytest.approx([0.994, 0.0], abs=0.001)


def test_a_verdict_is_on_the_disk_when_it_is_answered(own_rig: Rig):
    target = clip_id(1)
    marks = [{"label": "glass", "onset": 0.25, "offset": 1.0}]
    status, answer = own_rig.command("flag", clip=target, verdict="labels", labels=marks, who="Åsa")
    assert (status, answer) == (200, {"ok": True, "clip": target})
    sidecar = json.loads(own_rig.store.get(target).path.with_suffix(".json").read_text())
    assert [(v["value"], v["who"]) for v in sidecar["verdicts"]] == [("labels", "Åsa")]
    assert own_rig.store.get(target).heard == (LabelSpan("glass", 0.25, 1.0),)
    assert [clip["id"] for clip in own_rig.read("queue")] == [clip_id(0), clip_id(2)]


def test_judged_again_both_verdicts_stay(own_rig: Rig):
    for verdict in ("right", "wrong"):
        assert own_rig.command("flag", clip=clip_id(0), verdict=verdict)[0] == 200
    clip = own_rig.read(f"clips/{clip_id(0)}")
    assert [verdict["value"] for verdict in clip["verdicts"]] == ["right", "wrong"]
    assert clip["verdict"]["value"] == "wrong"
    assert clip["verdict"]["who"] == "review"


def look_on(rig: Rig) -> Generator[dict[str, object]]:
    """The lines of the live view; to close it is to go away."""
    with closing(HTTPConnection("127.0.0.1", rig.server.port, timeout=10)) as wire:
        wire.request("GET", "/api/live")
        with wire.getresponse() as answer:
            assert answer.status == 200
            while line := answer.readline():
                yield json.loads(line)


def patch(at: float) -> PatchNotice:
    content = np.full((96, 64), -6.9, np.float32)
    heard = Patch("hall", 0, at - 0.975, 0.975, content, -20.5, -10.0, 0.0)
    scores = np.array([0.25, 0.75], np.float32)
    return PatchNotice("hall", at, heard, FeatureParams(), LABELS, scores)


def test_who_looks_on_gets_each_patch(own_rig: Rig):
    assert PatchNotice not in own_rig.live.accepts
    lines = look_on(own_rig)
    assert next(lines) == {"kind": "beat"}
    assert PatchNotice in own_rig.live.accepts
    own_rig.live.handle(patch(7.0))
    own_rig.live.handle(SourceStatus("hall", "online", 7.0))
    said = next(lines)
    assert b64decode(str(said.pop("log_mel"))) == bytes(48 * 64)
    top = [["glass", 0.75], ["dog", 0.25]]
    assert said == {"kind": "patch", "source": "hall", "at": 7.0, "level_dbfs": -20.5, "top": top}
    status = {"kind": "status", "source": "hall", "status": "online", "bandwidth_hz": None}
    assert next(lines) == status
    lines.close()
    wait_until(lambda: PatchNotice not in own_rig.live.accepts, 10, "nobody looks on")


def test_only_so_many_may_look_on(own_rig: Rig):
    lookers = [look_on(own_rig) for _ in range(MAX_WATCHERS)]
    assert [next(lines) for lines in lookers] == [{"kind": "beat"}] * MAX_WATCHERS
    status, body, _ = own_rig.ask("GET", "/api/live")
    assert (status, b"at most 8 open live views" in body) == (503, True)
    for lines in lookers:
        lines.close()


def test_closing_ends_the_streams_and_the_thread(tmp_path: Path):
    before = set(threading.enumerate())
    with review_rig(tmp_path) as rig:
        lines = look_on(rig)
        assert next(lines) == {"kind": "beat"}
        rig.server.close()
        assert all(line == {"kind": "beat"} for line in lines)
        assert "review" not in {thread.name for thread in set(threading.enumerate()) - before}


def test_the_page_loads_nothing_from_elsewhere(rig: Rig):
    status, _, headers = rig.ask("GET", "/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    page = Path(__file__).parents[3] / "listener" / "review" / "page"
    for name in page.iterdir():
        assert rig.ask("GET", f"/{name.name}")[0] == 200
        text = name.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text
        assert "https://" not in text
        assert "innerHTML" not in text


def test_a_port_in_use_is_one_clear_line(rig: Rig):
    settings = ReviewSettings(port=rig.server.port)
    with pytest.raises(ConfigError, match=r"review: expected a free address, got 127\.0\.0\.1:"):
        ReviewServer(settings, rig.server._parts)

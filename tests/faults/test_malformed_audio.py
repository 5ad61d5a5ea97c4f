"""malformed audio file: clear error or quarantine, nothing else stops."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from listener.clips.store import ClipStore
from listener.config.sources import FileSettings
from listener.config.station import ClipsSettings
from listener.detection.audio import Samples
from listener.detection.bundle import Bundle
from listener.detection.clip import ClipError, ClipRecord
from listener.detection.clip_files import (
    MAX_CLIP_SAMPLES,
    analysis_path,
    read_audio,
    sidecar_path,
)
from listener.sources.file import FileSource
from listener.sources.source import SourceError
from tests.bundles import LOW_TONE_HZ
from tests.listener.clips.drafts import LABELS, make_draft, right
from tests.rigs.mosquitto import Mosquitto, free_port, subscribe
from tests.rigs.station import running_station

RATE = 16_000
SECONDS = 3.0


def audio(form: str, subtype: str | None = None) -> bytes:
    content = io.BytesIO()
    tone = 0.5 * np.sin(2 * np.pi * LOW_TONE_HZ * np.arange(round(SECONDS * RATE)) / RATE)
    soundfile.write(content, tone, RATE, format=form, subtype=subtype)
    return content.getvalue()


def wav(rate: int = RATE, channels: int = 1, data_bytes: int = 200) -> bytes:
    """A WAV whose head says this, with 200 bytes of audio."""
    head = struct.pack("<IHHIIHH", 16, 1, channels, rate, 0, 2 * channels % 65_536, 16)
    return (
        b"RIFF\xff\xff\xff\x7fWAVEfmt "
        + head
        + b"data"
        + struct.pack("<I", data_bytes)
        + b"\1" * 200
    )


def claiming_days(flac: bytes) -> bytes:
    """STREAMINFO counts samples in 36 bits, which end at byte 26 (RFC 9639, 8.2): all ones."""
    content = bytearray(flac)
    content[21] |= 0x0F
    content[22:26] = b"\xff" * 4
    return bytes(content)


def torn(form: str) -> bytes:
    """What a crash leaves: the first half."""
    whole = audio(form)
    return whole[: len(whole) // 2]


MALFORMED: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "one byte": lambda: b"R",
    "text": lambda: b"this is no audio\n" * 100,
    "zeros": lambda: bytes(10_000),
    "a head alone": lambda: wav()[:44],
    "half a head": lambda: wav()[:30],
    "no channels": lambda: wav(channels=0),
    "65535 channels": lambda: wav(channels=65_535),
    "no rate": lambda: wav(rate=0),
    "a rate of 1 Hz": lambda: wav(rate=1),
    "a rate of 4 GHz": lambda: wav(rate=2**32 - 1),
    "half a FLAC": lambda: torn("FLAC"),
    "half an OGG": lambda: torn("OGG"),
    "half an MP3": lambda: torn("MP3"),
    "a FLAC of days": lambda: claiming_days(audio("FLAC")),
    "an OGG that begins twice": lambda: audio("OGG")[:200] + audio("OGG"),
    "noise after a FLAC's head": lambda: audio("FLAC")[:100] + random.Random(4).randbytes(5000),
    "noise after an OGG's head": lambda: audio("OGG")[:100] + random.Random(4).randbytes(5000),
}
# of these the part that is there is heard; all others are refused in one line
HEARD = {
    "half a FLAC",
    "half an OGG",
    "half an MP3",
    "a FLAC of days",
    "an OGG that begins twice",
    "noise after a FLAC's head",
}


def read_to_the_end(path: Path) -> int:
    """Samples that a source gives."""
    settings = FileSettings(name="hall", kind="file", path=path, pace="fast")
    count = 0
    with closing(FileSource(settings)) as source:
        while (chunk := source.read(0.5)) is not None:
            assert np.isfinite(chunk.samples).all()
            count += len(chunk.samples)
    return count


@pytest.mark.parametrize("fault", sorted(MALFORMED.keys() - HEARD))
def test_as_a_source_it_is_refused_in_one_line(fault: str, tmp_path: Path):
    path = tmp_path / "x.wav"
    path.write_bytes(MALFORMED[fault]())
    with pytest.raises(SourceError) as error:
        read_to_the_end(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("fault", sorted(HEARD))
def test_as_a_source_it_is_heard_as_far_as_it_goes_or_refused(fault: str, tmp_path: Path):
    path = tmp_path / "x.wav"
    path.write_bytes(MALFORMED[fault]())
    try:
        assert read_to_the_end(path) <= SECONDS * RATE * 1.1
    except SourceError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017 - either way is right


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG"])
def test_a_hundred_damaged_copies_end_in_time(form: str, tmp_path: Path):
    rng, whole = random.Random(form), audio(form)
    ends = {"heard": 0, "refused": 0}
    for _ in range(100):
        content = bytearray(whole)
        for _ in range(rng.randint(1, 8)):
            content[rng.randrange(min(len(content), 400))] = rng.randrange(256)
        (tmp_path / "x.wav").write_bytes(content)
        try:
            read_to_the_end(tmp_path / "x.wav")
            ends["heard"] += 1
        except SourceError:
            ends["refused"] += 1
    assert ends["heard"] + ends["refused"] == 100
    assert ends["refused"] > 0


# --- beside others, in a running station ----------------------------------------------------------------


def test_the_other_sources_of_a_station_never_notice(tmp_path: Path, tones_bundle: Bundle):
    (tmp_path / "good.wav").write_bytes(audio("WAV"))
    names = sorted(MALFORMED)
    for number, name in enumerate(names):
        (tmp_path / f"bad{number}.wav").write_bytes(MALFORMED[name]())
    bad = [f"bad{number}" for number in range(len(names))]
    with Mosquitto(tmp_path) as broker:
        config: dict[str, Any] = {
            "station": "test",
            "bundle": tones_bundle.path,
            "sources": [
                {"name": name, "kind": "file", "path": tmp_path / f"{name}.wav"}
                for name in [*bad, "good"]
            ],
            "mqtt": {"port": broker.port, "level_interval_seconds": 0.0},
            "http": {"port": free_port()},
        }
        with (
            subscribe(broker.port, "earshot/test/good/#") as messages,
            running_station(tmp_path, config) as station,
        ):
            event = messages.wait_for_topic("earshot/test/good/event", 2, 60)[-1]
            levels = [m for m in messages.all if m.topic == "earshot/test/good/level"]
            assert station.process.wait(60) == 3  # sources were lost, and it says so
    assert json.loads(event.payload)["reason"] == "end_of_stream"
    assert len(levels) >= patches_in(SECONDS) - 1  # the last one may come with the end
    assert "Traceback" not in station.log
    for number, name in enumerate(names):
        if name not in HEARD:
            assert f"source bad{number}: lost: " in station.log


def patches_in(seconds: float) -> int:
    return 1 + -(-(round(seconds * RATE) - 15_600) // 7_680)


# --- as clips -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", sorted(MALFORMED))
def test_as_a_clip_it_is_one_line(fault: str, tmp_path: Path):
    with closing(open_store(tmp_path)) as store:
        record = store.add(make_draft())
        record.path.write_bytes(MALFORMED[fault]())
        if fault in HEARD:
            assert len(heard_of(record)) <= SECONDS * RATE * 1.1
        else:
            with pytest.raises(ClipError, match="expected "):
                read_audio(record)
        assert store.judge(record.id, right()).verdict == right()


def heard_of(record: ClipRecord) -> Samples:
    """What can be read of it, if anything."""
    try:
        return read_audio(record)[0]
    except ClipError:
        return np.empty(0, np.float32)


def open_store(directory: Path) -> ClipStore:
    return ClipStore(ClipsSettings(enabled=True, directory=directory / "clips"), LABELS)


@pytest.mark.parametrize("channels", [2, 1])
def test_more_than_a_clip_can_be_is_not_decoded(channels: int, tmp_path: Path):
    """A few hundred kilobytes of FLAC unpack to as many megabytes."""
    path = tmp_path / "x.flac"
    record = replace(make_draft().record, path=path)
    frames = 100 if channels > 1 else MAX_CLIP_SAMPLES + 1
    soundfile.write(path, np.zeros((frames, channels), np.int16), RATE)
    assert path.stat().st_size < 1_000_000
    with pytest.raises(ClipError, match="expected one channel of at least"):
        read_audio(record)


def put_array(path: Path, **arrays: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in arrays.items():
            archive.writestr(f"{name}.npy", content)


def array_head(shape: tuple[int, ...], kind: str) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        content, {"descr": kind, "fortran_order": False, "shape": shape}
    )
    return content.getvalue()


def claim_terabytes(path: Path) -> None:
    labels = io.BytesIO()
    np.save(labels, np.array(LABELS))
    huge = array_head((2**40, 2), "<f2")
    put_array(path, labels=labels.getvalue(), boundaries=array_head((2**40,), "<f8"),
              scores=huge, embeddings=huge)  # fmt: skip


def be_a_bomb(path: Path) -> None:
    put_array(path, labels=bytes(100_000_000))


@pytest.mark.parametrize("damage", [claim_terabytes, be_a_bomb])
def test_scores_that_claim_too_much_are_quarantined(
    damage: Callable[[Path], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    assert_put_aside(tmp_path, lambda audio: damage(analysis_path(audio)), caplog)


SIDECARS: dict[str, dict[str, Any]] = {
    "no time": {"captured_at": float("nan")},
    "no end": {"captured_at": float("inf")},
    "a year after the last": {"captured_at": 1e12},
    "before time": {"captured_at": -1.0},
    "no length": {"seconds": float("nan")},
    "a label of no score": {"top": [{"label": "a", "score": 1.0}, {"label": "b", "score": float("nan")}]},
    "megabytes": {"bundle": "x" * 2_000_000},
}  # fmt: skip


@pytest.mark.parametrize("fault", SIDECARS)
def test_a_sidecar_of_impossible_numbers_is_quarantined(
    fault: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    def damage(audio: Path) -> None:
        document = json.loads(sidecar_path(audio).read_text())
        sidecar_path(audio).write_text(json.dumps(document | SIDECARS[fault]))

    assert_put_aside(tmp_path, damage, caplog)


def assert_put_aside(
    folder: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """One of two clips is damaged while nobody looks: the store opens with the other one."""
    with closing(open_store(folder)) as store:
        bad, good = store.add(make_draft(0)), store.add(make_draft(1))
    damage(bad.path)
    for path in (folder / "clips" / "index").iterdir():
        path.unlink()
    with closing(open_store(folder)) as store:
        assert [record.id for record in store.find()] == [good.id]
        assert store.analysis(good.id).scores.shape == (4, 2)
    assert (folder / "clips" / "quarantine" / f"{bad.id}.json").exists()
    assert "moved to quarantine" in caplog.text

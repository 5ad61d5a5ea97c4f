"""Recording: what is there is read, whatever a header says; a difference is told once."""

from __future__ import annotations

import logging
import os
import struct
from contextlib import closing
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from listener.sources.recording import Recording
from listener.sources.source import SourceError
from tests.listener.sources.lying import RATE_HZ, Write, encode, flac_saying, wav_saying

SECONDS = 5
COUNT = SECONDS * RATE_HZ
LIST = b"LIST\x05\0\0\0INFO1\0"
log = logging.getLogger("recordings")


def noise(count: int = COUNT) -> NDArray[np.float64]:
    """What 16 bits hold exactly; the header's blocks of a FLAC are full of it."""
    return np.random.default_rng(7).integers(-9000, 9000, count) / 32768


def read_on(recording: Recording, block: int = 7_000) -> NDArray[np.float32]:
    """The first channel up to the end."""
    out = np.empty((block, recording.channels), np.float32)
    parts = [np.empty(0, np.float32)]
    while count := recording.read(out):
        parts.append(out[:count, 0].copy())
    return np.concatenate(parts)


def naive(path: Path) -> NDArray[np.float32]:
    """What libsndfile gives of it."""
    return soundfile.read(path, dtype="float32")[0]  # type: ignore[no-any-return]


HALF = "its header says 2.5 s, it holds 5.0 s"
DOUBLE = "its header says 10.0 s, it holds 5.0 s"
# what says which length, and the warning; libsndfile alone reads those in SPARED
LYING: dict[str, tuple[Write, str | None]] = {
    "flac, unknown": (flac_saying(0), None),
    "flac, half": (flac_saying(COUNT // 2), HALF),
    "flac, double": (flac_saying(2 * COUNT), DOUBLE),
    "flac, days": (flac_saying(2**36 - 1), "its header says 4294967.3 s, it holds 5.0 s"),
    "wav, 0": (wav_saying(0), None),
    "wav, half": (wav_saying(COUNT), HALF),
    "wav, all ones": (wav_saying(0xFFFF_FFFF), None),
    "wav, near 2^31": (wav_saying(0x7FFF_F024), None),
    "wav, double": (wav_saying(4 * COUNT), DOUBLE),
    "wav, right, with chunks": (wav_saying(2 * COUNT, LIST * 3), None),
    "wav, right, with a cut chunk": (wav_saying(2 * COUNT, LIST + b"LIST\xff\0\0\0INFO"), None),
    "wav, right, with tags of MP3": (wav_saying(2 * COUNT, b"TAG".ljust(128, b"a")), None),
    "rf64": (lambda samples: encode(samples, "RF64", "PCM_16"), None),
    "rf64, half": (lambda samples: halve_rf64(encode(samples, "RF64", "PCM_16")), HALF),
}
LOST = {"flac, unknown", "flac, half", "flac, double", "flac, days", "wav, half", "rf64, half"}


def halve_rf64(content: bytes) -> bytes:
    """The size of the audio is the second of ds64."""
    at = content.index(b"ds64") + 16
    return content[:at] + struct.pack("<Q", COUNT) + content[at + 8 :]


@pytest.mark.parametrize("name", sorted(LYING))
def test_every_sample_is_read_and_a_difference_is_told_once(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    write, line = LYING[name]
    path = tmp_path / "x"
    path.write_bytes(write(noise()))
    with closing(Recording(path, log)) as recording:
        for _ in range(2):
            np.testing.assert_array_equal(read_on(recording), noise())
            recording.rewind()
    assert caplog.messages == ([] if line is None else [f"{path}: {line}"])


@pytest.mark.parametrize("name", sorted(LOST))
def test_libsndfile_alone_loses_samples_of_these(name: str, tmp_path: Path):
    path = tmp_path / "x"
    path.write_bytes(LYING[name][0](noise()))
    try:
        blocks = soundfile.blocks(path, 32_768)
        count = sum(len(block) for block in blocks)
    except soundfile.LibsndfileError:
        return
    assert count < COUNT


@pytest.mark.parametrize("name", sorted(LYING))
@pytest.mark.parametrize("frame", [1, COUNT // 2 - 1, COUNT // 2, COUNT - 1, COUNT, 3 * COUNT])
def test_skipping_is_exact(name: str, frame: int, tmp_path: Path):
    path = tmp_path / "x"
    path.write_bytes(LYING[name][0](noise()))
    with closing(Recording(path, log)) as recording:
        recording.skip(frame)
        np.testing.assert_array_equal(read_on(recording), noise()[frame:])


@pytest.mark.parametrize("form", ["FLAC", "WAV", "OGG", "MP3"])
def test_a_file_that_was_cut_off_ends_there(form: str, tmp_path: Path):
    path = tmp_path / "x"
    whole = encode(noise(), form)
    path.write_bytes(whole)
    expected = naive(path)
    path.write_bytes(whole[: len(whole) * 3 // 5])
    with closing(Recording(path, log)) as recording:
        found = read_on(recording)
    assert 0.3 * COUNT < len(found) < 0.7 * COUNT
    if form != "OGG":  # the last page is not whole, and its samples not those of the whole file
        np.testing.assert_allclose(found[:-1200], expected[: len(found)][:-1200], atol=1e-6)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_the_streams_of_a_chained_ogg_follow_one_another(
    subtype: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    link = [encode(part, "OGG", subtype) for part in np.split(noise(), 5)]
    path = tmp_path / "x.ogg"
    path.write_bytes(b"".join(link))
    expected = []
    for each in link:
        (tmp_path / "link.ogg").write_bytes(each)
        expected.append(naive(tmp_path / "link.ogg"))
    assert len(naive(path)) == len(expected[0])  # libsndfile alone stops there
    with closing(Recording(path, log)) as recording:
        for _ in range(2):
            np.testing.assert_array_equal(read_on(recording), np.concatenate(expected))
            recording.rewind()
        recording.skip(COUNT // 2)
        np.testing.assert_array_equal(read_on(recording), np.concatenate(expected)[COUNT // 2 :])
    assert caplog.messages == []


def test_a_chain_that_changes_its_rate_is_an_error_after_its_first_part(tmp_path: Path):
    path = tmp_path / "x.ogg"
    soundfile.write(path, noise(8000), 8_000)
    path.write_bytes(encode(noise(), "OGG") + path.read_bytes())
    with closing(Recording(path, log)) as recording:
        out = np.empty((COUNT, 1), np.float32)
        assert sum(recording.read(out[:7_000]) for _ in range(12)) == COUNT
        with pytest.raises(SourceError, match="the sample rate or the channels change midway"):
            recording.read(out)


def test_mp3s_that_were_put_together_follow_one_another(tmp_path: Path):
    one = tmp_path / "one.mp3"
    one.write_bytes(encode(noise(), "MP3"))
    expected = naive(one)
    path = tmp_path / "x.mp3"
    path.write_bytes(one.read_bytes() + b"TAG".ljust(128, b"a") + one.read_bytes())
    assert len(naive(path)) == COUNT
    with closing(Recording(path, log)) as recording:
        np.testing.assert_allclose(read_on(recording), np.tile(expected, 2), atol=1e-6)


def write_mp3_of_unknown_length(path: Path, samples: NDArray[np.float64]) -> None:
    """A variable bit rate without the frame that says the length, as a pipe leaves it."""
    with av.open(str(path), "w", format="mp3", options={"write_xing": "0"}) as container:
        stream = container.add_stream("libmp3lame", rate=RATE_HZ, layout="mono")
        stream.codec_context.qscale = True
        stream.codec_context.global_quality = 4 * 118  # -q:a 4
        for part in np.split(samples.astype(np.float32), range(576, len(samples), 576)):
            frame = av.AudioFrame.from_ndarray(part[None], format="fltp", layout="mono")
            frame.sample_rate = RATE_HZ
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("loud_first", [True, False])
def test_the_length_of_an_mp3_is_not_guessed(
    loud_first: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "x.mp3"
    samples = noise() * np.where(np.arange(COUNT) < COUNT // 4, 1.0, 3e-3)
    write_mp3_of_unknown_length(path, samples if loud_first else samples[::-1])
    if loud_first:
        assert len(naive(path)) < COUNT / 2  # by the bit rate of the first frame
    with closing(Recording(path, log)) as recording:
        found = read_on(recording)
    assert COUNT <= len(found) < COUNT + 3 * 1152  # what the encoder puts around it
    quiet = found[-COUNT // 2 :] if loud_first else found[: COUNT // 2]
    assert 0 < np.abs(quiet).max() < 0.01
    assert caplog.messages == []


def test_a_wav_of_more_than_4_gib_is_read_to_its_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """The header's size is what is left in 32 bits; the file is a hole with a sample at its end."""
    size = 2**32 + 2 * COUNT
    path = tmp_path / "x.wav"
    path.write_bytes(wav_saying(2 * COUNT)(noise()))
    with path.open("r+b") as file:
        file.truncate(44 + size - 2)
        file.seek(0, os.SEEK_END)
        file.write(struct.pack("<h", 16_384))
    assert soundfile.info(path).frames == COUNT  # 5 s of 37 hours
    with closing(Recording(path, log)) as recording:
        recording.skip(size // 2 - 3)
        np.testing.assert_array_equal(read_on(recording), [0.0, 0.0, 0.5])
    assert caplog.messages == [f"{path}: its header says 5.0 s, it holds {size / 32_000:.1f} s"]


def test_damage_in_the_middle_is_an_error_after_what_came_before(tmp_path: Path):
    content = bytearray(encode(noise(), "FLAC"))
    half = len(content) // 2
    content[half : half + 1000] = bytes(1000)
    path = tmp_path / "x.flac"
    path.write_bytes(content)
    parts: list[NDArray[np.float32]] = []
    out = np.empty((32_768, 1), np.float32)
    with closing(Recording(path, log)) as recording:
        with pytest.raises(SourceError, match="flac decoder lost sync"):
            parts.extend(out[: recording.read(out), 0].copy() for _ in range(9))
        found = np.concatenate(parts)
        assert 0.4 * COUNT < len(found) < 0.6 * COUNT
        np.testing.assert_array_equal(found, noise()[: len(found)])


def test_two_channels_of_a_cut_flac_stay_side_by_side(tmp_path: Path):
    both = np.stack([noise(), -noise()], axis=1)
    path = tmp_path / "x.flac"
    whole = encode(both, "FLAC")
    path.write_bytes(whole[: len(whole) // 2])
    out = np.empty((COUNT, 2), np.float32)
    with closing(Recording(path, log)) as recording:
        count = recording.read(out)
        assert 0.4 * COUNT < count < 0.6 * COUNT
        np.testing.assert_array_equal(out[:count], both[:count])


def test_a_file_that_is_deleted_while_it_plays_goes_on(tmp_path: Path):
    path = tmp_path / "x.ogg"
    path.write_bytes(encode(noise(), "OGG"))
    with closing(Recording(path, log)) as recording:
        path.unlink()
        first = read_on(recording)
        recording.rewind()
        np.testing.assert_array_equal(read_on(recording), first)


def test_a_name_that_is_not_utf_8_is_a_name(tmp_path: Path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav"))
    path.write_bytes(encode(noise(), "WAV"))
    with closing(Recording(path, log)) as recording:
        np.testing.assert_array_equal(read_on(recording), noise())


@pytest.mark.parametrize("name", ["ffpipe.flac", "totalhalf.flac", "chained.ogg"])
def test_the_cases_of_the_field(name: str, shared: Path):
    with closing(Recording(shared / "cases" / name, log)) as recording:
        seconds = len(read_on(recording)) / recording.sample_rate_hz
    assert seconds == 30.0

"""Games keep audio in zip, rcc, WAD and cat archives; each gives its audio files and nothing else."""

import struct
import wave
import zipfile
import zlib
from pathlib import Path

import pytest

from benchmarks.world.archives import unpack

SOUND = b"RIFF....WAVE"


def test_a_zip_gives_its_audio_only(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.pk3", "w") as made:
        made.writestr("sound/bark.wav", SOUND)
        made.writestr("readme.txt", "no audio")

    assert unpack(tmp_path / "data.pk3") == [tmp_path / "data.pk3.d/sound/bark.wav"]
    assert (tmp_path / "data.pk3.d/sound/bark.wav").read_bytes() == SOUND


def test_a_path_that_leads_out_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as made:
        made.writestr("../bark.wav", SOUND)

    with pytest.raises(ValueError, match="inside the archive"):
        unpack(tmp_path / "data.zip")


@pytest.mark.parametrize("compressed", [False, True])
def test_an_rcc_gives_the_files_of_its_tree(tmp_path: Path, compressed: bool) -> None:
    content = struct.pack(">I", len(SOUND)) + zlib.compress(SOUND) if compressed else SOUND
    payload = struct.pack(">I", len(content)) + content
    names, at = b"", []
    for name in ("", "animals", "dog.wav"):
        at.append(len(names))
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
    modified = bytes(8)
    tree = (
        struct.pack(">IHII", at[0], 2, 1, 1) + modified  # the root: one child, at 1
        + struct.pack(">IHII", at[1], 2, 1, 2) + modified
        + struct.pack(">IHHHI", at[2], int(compressed), 0, 0, 0) + modified
    )  # fmt: skip
    start = 24
    head = b"qres" + struct.pack(
        ">IIIII", 3, start, start + len(tree) + len(names), start + len(tree), 0
    )
    (tmp_path / "farm.rcc").write_bytes(head + tree + names + payload)

    assert unpack(tmp_path / "farm.rcc") == [tmp_path / "farm.rcc.d/animals/dog.wav"]
    assert (tmp_path / "farm.rcc.d/animals/dog.wav").read_bytes() == SOUND


def test_a_wad_gives_each_sound_without_its_padding(tmp_path: Path) -> None:
    lump = struct.pack("<HHI", 3, 11025, 16 + 4 + 16) + bytes(16) + b"\x80\x90\xa0\xb0" + bytes(16)
    directory = struct.pack("<II8s", 12, len(lump), b"DSPISTOL")
    (tmp_path / "doom.wad").write_bytes(
        b"IWAD" + struct.pack("<II", 1, 12 + len(lump)) + lump + directory
    )

    (path,) = unpack(tmp_path / "doom.wad")

    assert path.name == "dspistol.wav"
    with wave.open(str(path)) as sound:
        assert sound.getframerate() == 11025
        assert sound.readframes(sound.getnframes()) == b"\x80\x90\xa0\xb0"


def test_a_cat_names_sounds_by_number_and_title(tmp_path: Path) -> None:
    credit = b'"Ship horn". By somebody.\0'
    entry = bytes([len(credit)]) + credit + SOUND
    (tmp_path / "sounds.cat").write_bytes(struct.pack("<II", 8 | 1 << 31, len(SOUND)) + entry)

    assert unpack(tmp_path / "sounds.cat") == [tmp_path / "sounds.cat.d/00_Ship_horn.wav"]
    assert (tmp_path / "sounds.cat.d/00_Ship_horn.wav").read_bytes() == SOUND


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(b"something else")

    with pytest.raises(ValueError, match="zip, rcc, WAD or cat"):
        unpack(tmp_path / "data.bin")

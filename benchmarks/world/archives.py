"""Unpacks the archives in which some games keep their audio: zip, Qt's rcc, Doom's WAD, OpenTTD's cat.

An archive `NAME` is unpacked into the folder `NAME.d` beside it, and only its audio. So a glob such as
`usr/share/games/x/data.zip.d/sounds/*.wav` names files in it.
"""

import io
import re
import struct
import wave
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

AUDIO_SUFFIXES = frozenset(
    {".wav", ".ogg", ".oga", ".opus", ".flac", ".mp3", ".au", ".gsm", ".aif", ".aiff", ".m4a"}
)
_RCC_DIRECTORY, _RCC_COMPRESSED, _RCC_ZSTD = 2, 1, 4  # qresource.cpp, RCCFileInfo::Flags
_CAT_OFFSET = 0x7FFFFFFF  # the top bit marks the newer format
_WAD_SOUND = 3  # the format number of a lump of samples


def unpack(archive: Path) -> list[Path]:
    """The files of audio that it holds, written below `NAME.d`.

    Raises:
        ValueError: none of the four kinds, or a file in it has a path that leads out of the folder.
    """
    folder = archive.with_name(archive.name + ".d")
    written: list[Path] = []
    for name, data in _entries(archive):
        inside = PurePosixPath(name)
        if inside.suffix.lower() not in AUDIO_SUFFIXES:
            continue
        if inside.is_absolute() or ".." in inside.parts:
            raise ValueError(f"{archive}: expected a path inside the archive, got {name!r}")
        path = folder / inside
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        written.append(path)
    return written


def _entries(archive: Path) -> Iterator[tuple[str, bytes]]:
    if zipfile.is_zipfile(archive):
        yield from _zip_entries(archive)
        return
    data = archive.read_bytes()
    if data[:4] == b"qres":
        yield from _rcc_entries(data)
    elif data[:4] in {b"IWAD", b"PWAD"}:
        yield from _wad_sounds(data)
    elif archive.suffix == ".cat":
        yield from _cat_entries(data)
    else:
        raise ValueError(f"{archive}: expected a zip, rcc, WAD or cat archive")


def _zip_entries(archive: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive) as opened:
        for each in opened.infolist():
            if PurePosixPath(each.filename).suffix.lower() in AUDIO_SUFFIXES:
                yield each.filename, opened.read(each)


def _rcc_entries(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Each file of a Qt resource; nodes are 14 bytes in version 1, and 22 from version 2."""
    version, tree, payload, names = struct.unpack_from(">IIII", data, 4)
    size = 14 if version == 1 else 22

    def name_of(node: int) -> str:
        (offset,) = struct.unpack_from(">I", data, tree + node * size)
        start = names + offset
        (length,) = struct.unpack_from(">H", data, start)
        return data[start + 6 : start + 6 + 2 * length].decode("utf-16-be")

    def walk(node: int, prefix: str) -> Iterator[tuple[str, bytes]]:
        (flags,) = struct.unpack_from(">H", data, tree + node * size + 4)
        if flags & _RCC_DIRECTORY:
            count, first = struct.unpack_from(">II", data, tree + node * size + 6)
            for child in range(first, first + count):
                yield from walk(child, f"{prefix}{name_of(child)}/")
            return
        if flags & _RCC_ZSTD:
            return  # no audio was seen in it: it is compressed already
        (offset,) = struct.unpack_from(">I", data, tree + node * size + 10)
        (length,) = struct.unpack_from(">I", data, payload + offset)
        content = data[payload + offset + 4 : payload + offset + 4 + length]
        if flags & _RCC_COMPRESSED:
            content = zlib.decompress(
                content[4:]
            )  # the first four are the length before compression
        yield prefix.rstrip("/"), content

    yield from walk(0, "")


def _wad_sounds(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Each `DS` lump as WAV: 8-bit samples with 16 of padding at both ends."""
    count, directory = struct.unpack_from("<II", data, 4)
    for lump in range(count):
        start, size, raw = struct.unpack_from("<II8s", data, directory + 16 * lump)
        name = raw.rstrip(b"\0").decode("latin-1")
        if not name.startswith("DS") or size < 8:
            continue
        kind, rate, samples = struct.unpack_from("<HHI", data, start)
        if kind == _WAD_SOUND and samples > 32:
            content = data[start + 8 + 16 : start + 8 + samples - 16]
            yield f"{name.lower()}.wav", _wav(content, rate)


def _wav(samples: bytes, rate_hz: int) -> bytes:
    """A WAV file of one channel of unsigned 8-bit samples."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(1)
        out.setframerate(rate_hz)
        out.writeframes(samples)
    return buffer.getvalue()


def _cat_entries(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Each WAV of a cat file, named by its number and the title that is quoted in its credits."""
    (first,) = struct.unpack_from("<I", data, 0)
    first &= _CAT_OFFSET
    for number in range(first // 8):
        offset, size = struct.unpack_from("<II", data, 8 * number)
        offset &= _CAT_OFFSET
        length = data[offset]
        credit = data[offset + 1 : offset + 1 + length].decode("latin-1")
        title = re.match(r'"([^"]*)"', credit)
        stem = re.sub(r"\W+", "_", title[1]).strip("_") if title else ""
        start = offset + 1 + length
        yield f"{number:02d}_{stem}.wav", data[start : start + size]

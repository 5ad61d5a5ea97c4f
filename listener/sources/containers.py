"""What the headers of FLAC, Ogg and MP3 files say, where libsndfile stops at what they say."""

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO

_FLAC_TOTAL = 21  # the byte of STREAMINFO whose lower half begins the 36 bits (RFC 9639, 8.2)
_FLAC_HEAD_BYTES = 26
_OGG_PAGE = struct.Struct("<4sBB20xB")  # RFC 3533, 6
_OGG_FIRST_PAGE = 0x02
_ID3V2 = struct.Struct("<3s3x4s")  # its magic and its size; the first tag in most MP3s
_ID3V1_BYTES = 128
_MP3_HEAD_BYTES = 64
# by the version of a frame's header: MPEG 1, 2 and 2.5
_MP3_RATES_HZ = {
    3: (44_100, 48_000, 32_000),
    2: (22_050, 24_000, 16_000),
    0: (11_025, 12_000, 8_000),
}
_MP3_64_KBIT = {3: 5, 2: 8, 0: 8}
_XING_FRAMES, _XING_BYTES = 0x1, 0x2  # flags of the fields that follow
_ENDLESS_FRAMES = 0x0FFF_FFFF
_MP3_TRIMMED_FRAMES = 529  # the decoder's delay, which libmpg123 trims where the length is known


class SplicedFile(io.RawIOBase):
    """Other bytes, then a file from an offset on: what a decoder reads in place of a wrong header."""

    def __init__(self, file: BinaryIO, head: bytes, offset: int) -> None:
        self._file, self._head, self._offset = file, head, offset
        self._size = len(head) + file.seek(0, io.SEEK_END) - offset
        self._at = 0

    @property
    def at_end(self) -> bool:
        """Whether the last byte was read."""
        return self._at >= self._size

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset; reading beyond the end gives nothing."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, origin + offset)
        return self._at

    def tell(self) -> int:
        """The offset of the next byte."""
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer as far as there are bytes; how many."""
        left = self._head[self._at : self._at + len(buffer)]
        buffer[: len(left)] = left
        count = len(left)
        if count < len(buffer):
            self._file.seek(self._at + count - len(self._head) + self._offset)
            content = self._file.read(len(buffer) - count)
            buffer[count : count + len(content)] = content
            count += len(content)
        self._at += count
        return count

    def close(self) -> None:
        """Close the file, too."""
        self._file.close()
        super().close()


def next_ogg_stream(file: BinaryIO, at: int) -> int | None:
    """Where the stream after the one at this byte begins, in a chain of streams (RFC 3533, 4)."""
    begun = True  # streams that begin together are one link of the chain
    while True:
        file.seek(at)
        head = file.read(_OGG_PAGE.size)
        if len(head) < _OGG_PAGE.size:
            return None
        magic, _, flags, segments = _OGG_PAGE.unpack(head)
        if magic != b"OggS":
            return None
        begins = bool(flags & _OGG_FIRST_PAGE)
        if begins and not begun:
            return at
        begun = begun and begins
        at += len(head) + segments + sum(file.read(segments))


@dataclass(frozen=True, slots=True)
class Mp3Head:
    """The first frame of an MP3.

    `says_length`: it is a frame as Xing's encoder made, which counts the others. `end` is where they end,
    the byte in the file, if it says so. `endless` is such a frame that claims more than a file can hold.
    """

    start: int
    says_length: bool
    end: int | None
    endless: bytes


def read_mp3_head(file: BinaryIO, at: int) -> Mp3Head | None:
    """What is at this byte of a file, after tags; None if no frame of an MP3 begins there."""
    file.seek(at)
    tag = file.read(_ID3V2.size)
    if tag[:3] == b"ID3" and len(tag) == _ID3V2.size:
        # a size in ID3v2 has 7 bits a byte
        at += len(tag) + sum(byte << 7 * (3 - place) for place, byte in enumerate(tag[6:]))
    file.seek(at)
    head = file.read(_MP3_HEAD_BYTES)
    if len(head) < _MP3_HEAD_BYTES or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:  # noqa: PLR2004 - layer III
        return None
    version, rate = head[1] >> 3 & 3, head[2] >> 2 & 3
    if version not in _MP3_RATES_HZ or rate == 3:  # noqa: PLR2004 - reserved
        return None
    mono = head[3] >> 6 == 3  # noqa: PLR2004
    is_mpeg_1 = version == 3  # noqa: PLR2004
    tag_at = 4 + (
        (17 if mono else 32) if is_mpeg_1 else (9 if mono else 17)
    )  # after the side information
    name, flags = struct.unpack_from(">4sI", head, tag_at)
    says_length, end = name in (b"Xing", b"Info") and bool(flags & _XING_FRAMES), None
    if says_length and flags & _XING_BYTES:
        end = at + struct.unpack_from(">I", head, tag_at + 12)[0]
    size = (144 if is_mpeg_1 else 72) * 64_000 // _MP3_RATES_HZ[version][rate]
    start = bytes([0xFF, head[1] | 1, _MP3_64_KBIT[version] << 4 | rate << 2, head[3]])
    xing = struct.pack(">4sII", b"Xing", _XING_FRAMES, _ENDLESS_FRAMES)
    endless = (start.ljust(tag_at, b"\0") + xing).ljust(size, b"\0")
    return Mp3Head(at, says_length, end, endless)


def next_mp3(file: BinaryIO, at: int) -> int | None:
    """Where the MP3 after the one at this byte begins, if both say their lengths."""
    head = read_mp3_head(file, at)
    if head is None or head.end is None:
        return None
    file.seek(head.end)
    begin = head.end + (_ID3V1_BYTES if file.read(3) == b"TAG" else 0)
    follows = read_mp3_head(file, begin)
    return begin if follows is not None and follows.says_length else None


@dataclass(frozen=True, slots=True)
class Rest:
    """How to read a stream beyond the end in its header.

    `head` stands in place of the file's bytes before `offset`. Then the decoder trims so many frames at
    the beginning; with `seekable` it finds frames without decoding those before.
    """

    head: bytes
    offset: int
    trimmed_frames: int = 0
    seekable: bool = True


def find_rest(file: BinaryIO, form: str, at: int) -> Rest | None:
    """How to go on after the end of the stream at this byte, if only a header says that it is the end.

    `form` is libsndfile's name of the format.
    """
    if form == "FLAC":
        file.seek(at)
        head = bytearray(file.read(_FLAC_HEAD_BYTES))
        if head[:4] != b"fLaC":
            return None
        head[_FLAC_TOTAL] &= 0xF0
        head[_FLAC_TOTAL + 1 :] = bytes(4)  # the total is unknown
        return Rest(bytes(head), at + len(head))
    first = read_mp3_head(file, at) if form == "MP3" else None
    if first is None or first.says_length:
        return None
    return Rest(first.endless, first.start, _MP3_TRIMMED_FRAMES, seekable=False)


def find_next(file: BinaryIO, form: str, at: int) -> int | None:
    """Where the next stream of a chain begins, the byte; `form` is libsndfile's name of the format."""
    if form == "OGG":
        return next_ogg_stream(file, at)
    return next_mp3(file, at) if form == "MP3" else None

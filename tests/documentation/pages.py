"""Blocks of code on the pages, with what is said of them above."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.shared import ROOT

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_BLOCK = re.compile(  # also one that is indented, in a list
    r"^(?: *<!-- not run: (?P<reason>[^\n]+?) -->\n)?"
    r"(?P<indent> *)```(?P<language>[a-z]+)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_ENDS_A_COMMAND = {"|", "||", "&&", ";", ">", ">>", "<", "&"}
_PROGRAMS = ("listener", "trainer")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block; `reason` says why it is not run here, where it is not."""

    page: Path
    line: int
    language: str
    text: str
    reason: str | None

    def __str__(self) -> str:
        """Where it stands."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(language: str) -> list[Block]:
    """Every block in a language, page by page from the top."""
    return [block for page in PAGES for block in _blocks_of(page) if block.language == language]


def _blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        code = textwrap.dedent(found["text"])
        yield Block(page, line, found["language"], code, found["reason"])


def commands_of(block: Block) -> Iterator[list[str]]:
    """The calls of our own programs in a shell block, without what is around them."""
    for line in block.text.replace("\\\n", " ").splitlines():
        if not _is_ours(line):
            continue
        words = shlex.split(line, comments=True)
        while words:
            end = next((n for n, word in enumerate(words) if word in _ENDS_A_COMMAND), len(words))
            call, words = words[:end], words[end + 1 :]
            if call and Path(call[0]).name in _PROGRAMS:
                yield [Path(call[0]).name, *call[1:]]


def _is_ours(line: str) -> bool:
    return re.search(rf"(^|[ /])({'|'.join(_PROGRAMS)}) ", line) is not None

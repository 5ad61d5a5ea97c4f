"""`python -m tests.listener.clips.adder DIRECTORY FIRST`: adds and judges clips until it is killed.

Each verdict is printed, `<id> <who>`, once the store says that it is kept.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import typer

from tests.listener.clips.drafts import make_draft, open_store, right


def main(directory: Path, first: int) -> None:
    """Clip after clip; each is judged, and judged again two clips later."""
    store = open_store(directory)
    typer.echo("ready")
    for number in itertools.count(first):
        added = store.add(make_draft(number, embedding=(number, 1.0)))
        judge(directory, added.id, f"at once {number}")
        if number - 2 >= first:
            before = store.find(limit=3)[-1]
            judge(directory, before.id, f"later {number}")


def judge(directory: Path, clip_id: str, who: str) -> None:
    """As another program would: with a store of its own."""
    store = open_store(directory)
    store.judge(clip_id, right(who))
    store.close()
    typer.echo(f"{clip_id} {who}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

"""Who made the audio of the world benchmark, and of the bank of negatives, and under which licence."""

import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PACKAGES = HERE / "packages.toml"
CREDITS = HERE / "CREDITS.md"
_HEAD = """# Credits

The audio that the world benchmark fetches comes from these packages of Debian 12. Licences and authors are
those of the audio, as each package's `debian/copyright` names them; that file has them in full. This table
is made from `packages.toml` by `python -m benchmarks.world.credits`.

| package | part | kind | licence | authors |
|---|---|---|---|---|
"""
_BANK_HEAD = """# Credits of the banks of negatives

`yamnet.npz` holds embeddings: means of a network's feature map over 0.96 s, 1024 numbers of 8 bits each,
from which no sound can be made again. They were computed from the audio of these packages of Debian 12.
Licences and authors are those of the audio, as each package's `debian/copyright` names them; that file has
them in full. This table is made from `packages.toml` by `python -m benchmarks.world negatives`.

| package | kind | licence | authors |
|---|---|---|---|
"""


def credits_of(packages: Iterable[Mapping[str, Any]]) -> str:
    """The text of CREDITS.md: a row for each package, in the order of their names."""
    return _HEAD + _rows(packages, ("name", "part", "kind", "licence", "credit"))


def bank_credits(sources: Collection[str]) -> str:
    """The text of the bank's CREDITS.md: a row for each of its sources, which are packages."""
    packages = [each for each in _read() if each["name"] in sources]
    return _BANK_HEAD + _rows(packages, ("name", "kind", "licence", "credit"))


def _rows(packages: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    return "".join(
        "| " + " | ".join(str(each[column]).replace("|", "\\|") for column in columns) + " |\n"
        for each in sorted(packages, key=lambda each: each["name"])
    )


def _read() -> list[dict[str, Any]]:
    packages: list[dict[str, Any]] = tomllib.loads(PACKAGES.read_text(encoding="utf-8"))["package"]
    return packages


def main() -> None:
    """Write CREDITS.md."""
    CREDITS.write_text(credits_of(_read()), encoding="utf-8")


if __name__ == "__main__":
    main()

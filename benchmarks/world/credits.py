"""CREDITS.md: who made the audio of the world benchmark and under which licence."""

import tomllib
from collections.abc import Iterable, Mapping
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


def credits_of(packages: Iterable[Mapping[str, Any]]) -> str:
    """The text of CREDITS.md: a row for each package, in the order of their names."""
    rows = sorted(packages, key=lambda each: each["name"])
    columns = ("name", "part", "kind", "licence", "credit")
    return _HEAD + "".join(
        "| " + " | ".join(str(each[column]).replace("|", "\\|") for column in columns) + " |\n"
        for each in rows
    )


def main() -> None:
    """Write CREDITS.md."""
    packages = tomllib.loads(PACKAGES.read_text(encoding="utf-8"))["package"]
    CREDITS.write_text(credits_of(packages), encoding="utf-8")


if __name__ == "__main__":
    main()

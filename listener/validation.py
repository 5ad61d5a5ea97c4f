"""What pydantic found wrong first, in words for one line of an error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError


@dataclass(frozen=True, slots=True)
class Problem:
    """The first of the problems that pydantic found in a value.

    `key` is the dotted path to the field, empty for the value itself; `kind` is pydantic's name of the
    error; `value` is what came; `others` counts the further problems.
    """

    key: str
    message: str
    kind: str
    value: Any
    others: int

    def __str__(self) -> str:
        return f"{self.key}: {self.message}" if self.key else self.message


def first_problem(error: ValidationError) -> Problem:
    """The first problem of a validation, without the prefix that pydantic gives a ValueError."""
    problems = error.errors(include_url=False)
    first = problems[0]
    return Problem(
        key=".".join(str(part) for part in first["loc"]),
        message=first["msg"].removeprefix("Value error, "),
        kind=first["type"],
        value=first["input"],
        others=len(problems) - 1,
    )

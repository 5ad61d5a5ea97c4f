"""The first problem that pydantic finds in a value, for an error of one line."""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of a value: `key` is the dotted path to the field, empty for the value itself.

    `kind` is pydantic's name of the error, `value` the wrong value; `others` counts further problems.
    """

    key: str
    message: str
    kind: str
    value: Any
    others: int

    def __str__(self) -> str:
        return f"{self.key}: {self.message}" if self.key else self.message


def first_problem(error: ValidationError) -> Problem:
    """The first problem, without the prefix that pydantic adds to a ValueError."""
    problems = error.errors(include_url=False)
    first = problems[0]
    return Problem(
        key=".".join(str(part) for part in first["loc"]),
        message=first["msg"].removeprefix("Value error, "),
        kind=first["type"],
        value=first["input"],
        others=len(problems) - 1,
    )

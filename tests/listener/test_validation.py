"""The first problem of a validation is one line."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field, ValidationError, field_validator

from listener.validation import first_problem


class Inner(BaseModel):
    port: int = Field(default=1, ge=1)
    name: str = "hall"

    @field_validator("name")
    @classmethod
    def check_name(cls, name: str) -> str:
        if not name:
            raise ValueError("expected a name")
        return name


class Outer(BaseModel):
    inner: Inner


@pytest.mark.parametrize(
    ("document", "text", "kind", "others"),
    [
        (
            {"inner": {"port": 0}},
            "inner.port: Input should be greater than or equal to 1",
            "greater_than_equal",
            0,
        ),
        ({"inner": {"name": ""}}, "inner.name: expected a name", "value_error", 0),
        (
            {"inner": {"port": "x", "name": 3}},
            "inner.port: Input should be a valid integer, unable to parse string as an integer",
            "int_parsing",
            1,
        ),
        ({}, "inner: Field required", "missing", 0),
    ],
)
def test_it_names_the_field_and_the_expected_value(
    document: dict[str, Any], text: str, kind: str, others: int
):
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(document)
    problem = first_problem(caught.value)
    assert (str(problem), problem.kind, problem.others) == (text, kind, others)


def test_a_value_without_fields_has_no_key():
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(5)
    assert str(first_problem(caught.value)).startswith("Input should be")

"""The settings of a group of labels."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from listener.config.settings import Settings


class GroupSettings(Settings):
    """Sounds of the bundle that are told of as one label; a list of them alone will do, or one name."""

    members: tuple[str, ...]  # names or slugs of the bundle, in any case
    name: Annotated[str, Field(min_length=1, max_length=64)] | None = None  # None: after its slug

    @model_validator(mode="before")
    @classmethod
    def _take_a_list(cls, value: object) -> object:
        table = value if isinstance(value, dict) else {"members": value}
        members = table.get("members")
        if isinstance(members, str):
            return table | {"members": (members,)}
        # what comes out of here is no JSON any more, and strictly a list is no tuple
        return table | {"members": tuple(members)} if isinstance(members, list) else table

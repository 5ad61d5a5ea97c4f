"""The base of every table of the config, and the value types that tables share."""

from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field

Slug = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]
Port = Annotated[int, Field(ge=1, le=65_535)]
Seconds = Annotated[float, Field(gt=0)]
Threshold = Annotated[float, Field(gt=0, le=1)]
Duration = Annotated[float, Field(ge=0)]
PerHour = Annotated[float, Field(ge=0, le=3600)]


class Settings(BaseModel):
    """A table of the config: frozen, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def split_url(url: str, schemes: tuple[str, ...], expected: str) -> SplitResult:
    """The parts of a URL that has one of the schemes, a host and no user.

    Raises:
        ValueError: it does not; the message is `expected`. Or its port is not from 0 to 65535.
    """
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(expected)
    parts = urlsplit(url)
    if parts.scheme not in schemes or not parts.hostname or parts.username is not None:
        raise ValueError(expected)
    _ = parts.port  # raises the ValueError
    return parts

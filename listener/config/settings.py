"""What every table of the config is made of: frozen models, and kinds of numbers and names."""

from __future__ import annotations

from typing import Annotated

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

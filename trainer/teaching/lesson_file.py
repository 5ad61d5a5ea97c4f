"""A lesson as a file: what `trainer search` found and `trainer fit --lesson` takes. No TensorFlow here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from trainer.errors import DataError
from trainer.teaching.lesson import Lesson


def write_lesson(path: Path, lesson: Lesson, found: Mapping[str, Any]) -> None:
    """The lesson as JSON under `lesson`; under `found`, for people, how it was found."""
    document = {"lesson": asdict(lesson), "found": dict(found)}
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def read_lesson(path: Path) -> Lesson:
    """The lesson of a file that `write_lesson` wrote.

    Raises:
        DataError: there is none.
    """
    try:
        document = json.loads(path.read_bytes())
        return TypeAdapter(Lesson).validate_python(document["lesson"])
    except OSError as error:
        raise DataError(
            f"{path}: expected a lesson of `trainer search`: {error.strerror}"
        ) from error
    except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: expected a lesson of `trainer search`, found none") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(f"{path}: {place or 'lesson'}: {first['msg']}") from error

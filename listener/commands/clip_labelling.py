"""`listener clips label`: a person's verdict."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

import typer
from pydantic import ValidationError

from listener.commands.clip_listing import clip_document, opened_store
from listener.config.station import Config, ConfigError
from listener.detection.bundle import read_bundle
from listener.detection.clip import LabelSpan, Verdict, VerdictValue
from listener.documents import to_json

_SPAN = re.compile(r"(?P<label>[^@]+)(@(?P<onset>\d+(\.\d+)?)-(?P<offset>\d+(\.\d+)?))?")


def label_clip(
    config: Config, clip_id: str, right: bool, wrong: bool, labels: Sequence[str], who: str
) -> None:
    """Add a verdict to a clip and print what is known of it.

    Raises:
        ConfigError: not exactly one of right, wrong and labels, or a label of another form.
        BundleError, ClipError: what they say.
    """
    if right + wrong + bool(labels) != 1:
        raise ConfigError("expected one of --right, --wrong and --label")
    with opened_store(config, read_bundle(config.bundle).labels) as store:
        seconds = store.get(clip_id).seconds
        spans = tuple(parse_span(text, seconds) for text in labels)
        value: VerdictValue = "right" if right else "wrong" if wrong else "labels"
        try:
            verdict = Verdict(value, who, time.time(), spans)
        except ValidationError as error:
            raise ConfigError(f"--who: expected a name in one line, got {who!r}") from error
        typer.echo(to_json(clip_document(store.judge(clip_id, verdict))))


def parse_span(text: str, seconds: float) -> LabelSpan:
    """`dog@1.5-3` -> the label from 1.5 to 3 s; `dog` -> all of a clip of so many seconds.

    Raises:
        ConfigError: another form, or times that do not run forward.
    """
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ConfigError(f"--label: expected NAME or NAME@ON-OFF in seconds, got {text!r}")
    onset, offset = match["onset"] or 0.0, match["offset"] or seconds
    try:
        return LabelSpan(match["label"], float(onset), float(offset))
    except ValidationError as error:
        raise ConfigError(f"--label: expected 0 <= ON < OFF, got {text!r}") from error

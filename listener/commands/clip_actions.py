"""What `listener clips` does with the clip store: list, show, export, label."""

import csv
import json
import re
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from listener.clips.index import ClipFilter
from listener.clips.store import ClipStore
from listener.config.station import Config, ConfigError
from listener.detection import bundle, clip_files
from listener.detection.clip import ClipRecord, LabelSpan, Verdict, VerdictValue, read_analysis
from listener.detection.near_miss import NearestMiss, find_nearest_misses, miss_document
from listener.files import to_json
from listener.planning import choose_groups, choose_params, choose_policies

_EXPORT_TABLE, _EXPORT_COLUMNS = "clips.csv", ("filename", "onset", "offset", "label")
_EXPORT_AUDIO = "audio"
_PAGE = 500
_SPAN = re.compile(r"(?P<label>[^@]+)(@(?P<onset>\d+(\.\d+)?)-(?P<offset>\d+(\.\d+)?))?")


@contextmanager
def opened_store(config: Config, labels: Collection[str] = ()) -> Iterator[ClipStore]:
    """The station's store, whether or not the station runs; `labels` are what verdicts may name.

    Raises:
        ConfigError: there is no store.
        ClipError: it cannot be opened.
    """
    if not config.clips.directory.is_dir():
        raise ConfigError(f"clips.directory: {config.clips.directory}: expected a clip store")
    store = ClipStore(config.clips, labels)
    try:
        yield store
    finally:
        store.close()


def print_clips(
    config: Config, wanted: ClipFilter, limit: int, after: str | None, *, as_table: bool
) -> None:
    """Print clips, newest first.

    Raises:
        ConfigError, ClipError: the store cannot be used.
    """
    with opened_store(config) as store:
        records = store.find(wanted, limit, after)
    if not as_table:
        for record in records:
            typer.echo(to_json(clip_document(record)))
        return
    table = Table("id", "captured", "source", "seconds", "reason", "label", "score", "verdict")
    for record in records:
        captured = datetime.fromtimestamp(record.captured_at, UTC).astimezone()
        when, seconds = f"{captured:%Y-%m-%d %H:%M:%S}", f"{record.seconds:.1f}"
        reason, label = record.reason.replace("_", " "), record.label or ""
        score = "" if record.score is None else f"{record.score:.2f}"
        if record.reason == "near_miss" and record.on_threshold is not None:
            at = min((span.onset for span in record.labels), default=0.0)
            score += f" of {record.on_threshold:.2f} at {at:.1f} s"
        table.add_row(
            record.id, when, record.source, seconds, reason, label, score, _verdict_text(record)
        )
    Console(soft_wrap=True).print(table)


def _verdict_text(record: ClipRecord) -> str:
    if record.verdict is None:
        return ""
    if record.verdict.value != "labels":
        return record.verdict.value
    return ", ".join(span.label for span in record.verdict.labels) or "nothing"


def print_clip(config: Config, clip_id: str) -> None:
    """Print everything known about a clip; of a missed sound, also which label was the nearest.

    Raises:
        ConfigError, ClipError: the store cannot be used, or has no such clip.
    """
    with opened_store(config) as store:
        record = store.get(clip_id)
        document = clip_document(record)
        if record.reason == "missed" and (miss := _nearest_miss(config, record)) is not None:
            document["nearest_miss"] = {"label": miss.label, **miss_document(miss)}
        typer.echo(json.dumps(document, indent=1, ensure_ascii=False))


def _nearest_miss(config: Config, record: ClipRecord) -> NearestMiss | None:
    """By the policies of today; None without scores in the clip, or of another bundle's labels.

    Raises:
        BundleError, ConfigError, ClipError: the bundle or the scores cannot be read.
    """
    path = clip_files.analysis_path(record.path)
    if not path.is_file():
        return None
    analysis = read_analysis(path)
    opened = bundle.read_bundle(config.bundle)
    chosen = choose_policies(opened, config.detection, choose_groups(opened, config))
    columns = [column for column, label in enumerate(analysis.labels) if label in chosen]
    misses = find_nearest_misses(
        analysis.scores[:, columns].astype(np.float32),
        analysis.boundaries,
        {analysis.labels[column]: chosen[analysis.labels[column]] for column in columns},
        choose_params(opened, config.detection).patch_hop_seconds,
    )
    return misses[0] if misses else None


def clip_document(record: ClipRecord) -> dict[str, object]:
    """The sidecar's content, and the path of the audio."""
    document: dict[str, object] = json.loads(clip_files.record_bytes(record))
    return document | {"path": str(record.path)}


def export_clips(config: Config, wanted: ClipFilter, out: Path) -> Path:
    """Write judged and ambient clips as a data set of spans beside the audio, whole or not at all.

    A clip judged wrong, and an ambient one, has a row without a span: no label is heard in it.

    Raises:
        ConfigError: `out` exists or cannot be written, or no clip is to be exported.
        ClipError: the store cannot be used.
    """
    if out.exists():
        raise ConfigError(f"{out}: expected a free name, it is there already")
    try:
        with (
            opened_store(config) as store,
            tempfile.TemporaryDirectory(dir=out.parent, prefix=".export-") as partial,
        ):
            folder = Path(partial) / "clips"
            _write_data_set(folder, _exported(store, wanted))
            if out.suffix == ".zip":
                folder = Path(shutil.make_archive(str(folder), "zip", folder))
            folder.rename(out)
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written: {error.strerror}") from error
    return out


def _exported(
    store: ClipStore, wanted: ClipFilter
) -> list[tuple[ClipRecord, tuple[LabelSpan, ...]]]:
    """The clips whose labels are known, with what is heard in them."""
    clips: list[tuple[ClipRecord, tuple[LabelSpan, ...]]] = []
    others = 0
    page = store.find(wanted, _PAGE)
    while page:
        for record in page:
            ambient = record.verdict is None and record.reason == "ambient"
            heard = () if ambient else record.heard
            if heard is None:
                others += 1
            else:
                clips.append((record, heard))
        page = store.find(wanted, _PAGE, after=page[-1].id)
    if not clips:
        raise ConfigError(f"expected clips with a verdict or ambient ones, found {others} others")
    return clips


def _write_data_set(
    folder: Path, clips: Sequence[tuple[ClipRecord, tuple[LabelSpan, ...]]]
) -> None:
    audio = folder / _EXPORT_AUDIO
    audio.mkdir(parents=True, mode=0o700)
    with (folder / _EXPORT_TABLE).open("w", encoding="utf-8", newline="") as lines:
        table = csv.writer(lines, lineterminator="\n")
        table.writerow(_EXPORT_COLUMNS)
        for record, heard in clips:
            name = record.path.name
            shutil.copyfile(record.path, audio / name)
            spans = [(name, f"{s.onset:.3f}", f"{s.offset:.3f}", s.label) for s in heard]
            table.writerows(spans or [(name, "", "", "")])


def label_clip(
    config: Config, clip_id: str, right: bool, wrong: bool, labels: Sequence[str], who: str
) -> None:
    """Add a verdict to a clip and print everything known about it.

    Raises:
        ConfigError: not exactly one of right, wrong and labels, or a label of another form.
        BundleError, ClipError: the bundle or the store cannot be used, or the clip is unknown.
    """
    if right + wrong + bool(labels) != 1:
        raise ConfigError("expected one of --right, --wrong and --label")
    with opened_store(config, bundle.read_bundle(config.bundle).labels) as store:
        seconds = store.get(clip_id).seconds
        spans = tuple(parse_span(text, seconds) for text in labels)
        value: VerdictValue = "right" if right else "wrong" if wrong else "labels"
        try:
            verdict = Verdict(value, who, time.time(), spans)
        except ValidationError as error:
            raise ConfigError(f"--who: expected a name in one line, got {who!r}") from error
        typer.echo(to_json(clip_document(store.judge(clip_id, verdict))))


def parse_span(text: str, seconds: float) -> LabelSpan:
    """`dog@1.5-3` -> the label from 1.5 to 3 s; `dog` -> the whole clip, `seconds` long.

    Raises:
        ConfigError: another form, or the offset is not after the onset.
    """
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ConfigError(f"--label: expected NAME or NAME@ON-OFF in seconds, got {text!r}")
    onset, offset = match["onset"] or 0.0, match["offset"] or seconds
    try:
        return LabelSpan(match["label"], float(onset), float(offset))
    except ValidationError as error:
        raise ConfigError(f"--label: expected 0 <= ON < OFF, got {text!r}") from error

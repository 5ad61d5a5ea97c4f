"""The JSON API of the review page: clips and their pictures, the station, live lines, commands."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

import numpy as np
from anyio import CapacityLimiter, to_thread
from fastapi import Path, Query, Request
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from starlette.requests import ClientDisconnect

from listener.clips.index import ClipFilter, VerdictState
from listener.clips.store import ClipStore
from listener.config.settings import Slug
from listener.control.commands import ClipId
from listener.control.http_commands import COMMAND_PATH, HttpCommandError, HttpCommands
from listener.detection import clip_files, features, params
from listener.detection.audio import AudioChunk, ChunkResampler
from listener.detection.clip import ClipAnalysis, ClipRecord, Reason
from listener.review.live import KEPT_EVENTS, MAX_WATCHERS, EventItem, LiveView, clip_item, pixels

_MOST_COLUMNS = 1500  # of a picture, as wide as a screen
_MOST_LABELS = 5
MAX_CLIPS = 100
BODY_SECONDS = 5.0
BEAT_SECONDS = 5.0  # how soon each side notices that the other is gone
_BEAT = '{"kind":"beat"}\n'
_WAITING_COMMANDS = 4
_PARAMS = params.FeatureParams()


@dataclass(frozen=True, slots=True)
class ReviewParts:
    """What the page shows: the station's name, its live view, and its clips (None if none are kept).

    `new_labels`: verdicts may name labels that the bundle does not have.
    """

    station: str
    live: LiveView
    clips: ClipStore | None
    new_labels: bool = False


def clip_picture(record: ClipRecord, analysis: ClipAnalysis) -> dict[str, Any]:
    """Log-mel and scores of a clip on one time axis.

    `log_mel` has `columns` x `bands` bytes, `boundaries` are those of the slots in seconds, `scores` are
    by label: that of the clip and those with the highest scores.

    Raises:
        ClipError: the audio cannot be read.
    """
    samples, rate_hz = clip_files.read_audio(record)
    chunk = AudioChunk("", 0, 0.0, rate_hz, samples)
    resampler = ChunkResampler(_PARAMS.sample_rate_hz)
    resampled = np.concatenate([resampler.push(chunk).samples, resampler.finish(chunk).samples])
    log_mel = features.make_front_end(_PARAMS)(resampled)
    step = -(-len(log_mel) // _MOST_COLUMNS)
    if step > 1:  # each column is the loudest of the frames it stands for
        log_mel = np.maximum.reduceat(log_mel, np.arange(0, len(log_mel), step))
    return {
        "seconds": record.seconds,
        "columns": len(log_mel),
        "bands": _PARAMS.mel_bands,
        "log_mel": pixels(log_mel),
        "boundaries": np.round(analysis.boundaries, 3).tolist(),
        "scores": _scores(record, analysis),
    }


def _scores(record: ClipRecord, analysis: ClipAnalysis) -> dict[str, list[float]]:
    if not len(analysis.scores):
        return {}
    order = np.argsort(-analysis.scores.max(axis=0), kind="stable")
    own = [label for label in analysis.labels if label == record.label]
    ranked = [*own, *(analysis.labels[column] for column in order)]
    labels = list(dict.fromkeys(ranked))[:_MOST_LABELS]
    columns = [analysis.labels.index(label) for label in labels]
    rounded = np.round(analysis.scores[:, columns].astype(np.float64), 3)
    return dict(zip(labels, rounded.T.tolist(), strict=True))


_Id = Annotated[ClipId, Path()]
_Limit = Annotated[int, Query(ge=1, le=MAX_CLIPS)]


class ClipPages:
    """The clip store as JSON; `store` is None where no clips are kept."""

    def __init__(self, store: ClipStore | None) -> None:
        self._store = store

    @property
    def routes(self) -> dict[str, Callable[..., Any]]:
        """The handler of each path."""
        return {
            "/clips": self.find,
            "/queue": self.queue,
            "/clips/{clip_id}": self.clip,
            "/clips/{clip_id}/picture": self.picture,
            "/clips/{clip_id}/audio": self.audio,
            "/clips/{clip_id}/similar": self.similar,
        }

    def _clips(self) -> ClipStore:
        if self._store is None:
            raise HttpCommandError(HTTPStatus.NOT_FOUND, "no clips are kept (clips.enabled)")
        return self._store

    def find(
        self,
        source: Slug | None = None,
        label: Slug | None = None,
        reason: Reason | None = None,
        verdict: VerdictState | None = None,
        after: ClipId | None = None,
        limit: _Limit = 50,
    ) -> list[dict[str, Any]]:
        """Clips, newest first; `after` is the last id of the previous page."""
        wanted = ClipFilter(source, label, reason, verdict)
        return [clip_item(record) for record in self._clips().find(wanted, limit, after)]

    def queue(self, limit: _Limit = 50) -> list[dict[str, Any]]:
        """Clips without a verdict; those from which a verdict teaches most come first."""
        return [clip_item(record) for record in self._clips().review_queue(limit)]

    def clip(self, clip_id: _Id) -> dict[str, Any]:
        """One clip."""
        return clip_item(self._clips().get(clip_id))

    def picture(self, clip_id: _Id) -> dict[str, Any]:
        """Log-mel and scores of a clip."""
        clips = self._clips()
        return clip_picture(clips.get(clip_id), clips.analysis(clip_id))

    def audio(self, clip_id: _Id) -> FileResponse:
        """The FLAC file of a clip, or a range of it."""
        return FileResponse(self._clips().get(clip_id).path, media_type="audio/flac")

    def similar(self, clip_id: _Id, limit: _Limit = 12) -> list[dict[str, Any]]:
        """The clips that sound most like a clip, with their cosine similarities."""
        found = self._clips().similar(clip_id, limit)
        return [
            clip_item(clip.record) | {"similarity": round(clip.similarity, 3)} for clip in found
        ]


class StationPages:
    """The station as JSON, its live lines, and its commands."""

    def __init__(self, parts: ReviewParts, commands: HttpCommands | None) -> None:
        self._parts, self._live, self._commands = parts, parts.live, commands
        self._limiter = CapacityLimiter(_WAITING_COMMANDS)

    @property
    def routes(self) -> dict[str, Callable[..., Any]]:
        """The handler of each path."""
        return {"/station": self.station, "/events": self.events, "/live": self.live}

    def station(self) -> dict[str, Any]:
        """What rarely changes; `now` lets the page use the station's clock."""
        clips = self._parts.clips
        totals = None if clips is None else clips.totals()
        return {
            "station": self._parts.station,
            "now": time.time(),
            "sources": self._live.sources,
            "labels": self._live.label_names,
            "new_labels": self._parts.new_labels,
            "clips": None if totals is None else {"stored": totals.clips, "judged": totals.judged},
            "commands": self._commands is not None,
        }

    def events(
        self, limit: Annotated[int, Query(ge=1, le=KEPT_EVENTS)] = KEPT_EVENTS
    ) -> list[EventItem]:
        """The newest events."""
        return self._live.timeline.newest(limit)

    async def live(self) -> StreamingResponse:
        """Lines of JSON as things happen, until one side closes."""
        if self._live.full:
            reason = f"expected at most {MAX_WATCHERS} open live views"
            raise HttpCommandError(HTTPStatus.SERVICE_UNAVAILABLE, reason)
        return StreamingResponse(_lines(self._live), media_type="application/x-ndjson")

    async def command(self, name: str, request: Request) -> JSONResponse:
        """Run a command; the guard has checked its sender and size."""
        if self._commands is None:
            raise HttpCommandError(HTTPStatus.FORBIDDEN, "commands are off")
        body = await _body(request)
        answer = await to_thread.run_sync(
            self._commands.deliver, COMMAND_PATH + name, body, limiter=self._limiter
        )
        return JSONResponse(answer, HTTPStatus.OK if answer["ok"] else HTTPStatus.BAD_REQUEST)


async def _body(request: Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.body()
    except TimeoutError as error:
        reason = f"expected the whole body within {BODY_SECONDS:g} s"
        raise HttpCommandError(HTTPStatus.REQUEST_TIMEOUT, reason) from error
    except ClientDisconnect as error:
        raise HttpCommandError(HTTPStatus.BAD_REQUEST, "the body ended early") from error


async def _lines(live: LiveView) -> AsyncIterator[str]:
    loop, arrived = asyncio.get_running_loop(), asyncio.Event()
    with live.watching(partial(loop.call_soon_threadsafe, arrived.set)) as watcher:
        yield _BEAT
        while not watcher.ended:
            for line in watcher.pop_lines():
                yield line
            try:
                async with asyncio.timeout(BEAT_SECONDS):
                    await arrived.wait()
            except TimeoutError:
                yield _BEAT
            arrived.clear()

"""What the page asks of the clip store."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Path, Query
from fastapi.responses import FileResponse

from listener.clips.index import ClipFilter, VerdictState
from listener.clips.store import ClipStore
from listener.config.settings import Slug
from listener.control.commands import ClipId
from listener.control.http_commands import PostError
from listener.detection.clip import Reason
from listener.review.documents import clip_item
from listener.review.pictures import clip_picture

MAX_CLIPS = 100

_Id = Annotated[ClipId, Path()]
_Limit = Annotated[int, Query(ge=1, le=MAX_CLIPS)]


class ClipPages:
    """Answers of the store as JSON; `store` is None where no clips are kept."""

    def __init__(self, store: ClipStore | None) -> None:
        self._store = store

    @property
    def routes(self) -> dict[str, Callable[..., Any]]:
        """What answers at each path."""
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
            raise PostError(HTTPStatus.NOT_FOUND, "no clips are kept (clips.enabled)")
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
        """Clips, newest first; `after` is the last one of the page before."""
        wanted = ClipFilter(source, label, reason, verdict)
        return [clip_item(record) for record in self._clips().find(wanted, limit, after)]

    def queue(self, limit: _Limit = 50) -> list[dict[str, Any]]:
        """Clips without a verdict, what teaches most first."""
        return [clip_item(record) for record in self._clips().review_queue(limit)]

    def clip(self, clip_id: _Id) -> dict[str, Any]:
        """A clip."""
        return clip_item(self._clips().get(clip_id))

    def picture(self, clip_id: _Id) -> dict[str, Any]:
        """Its log-mel and scores."""
        clips = self._clips()
        return clip_picture(clips.get(clip_id), clips.analysis(clip_id))

    def audio(self, clip_id: _Id) -> FileResponse:
        """Its FLAC file, or a range of it."""
        return FileResponse(self._clips().get(clip_id).path, media_type="audio/flac")

    def similar(self, clip_id: _Id, limit: _Limit = 12) -> list[dict[str, Any]]:
        """The clips that sound most like it, with the cosine similarity of each."""
        found = self._clips().similar(clip_id, limit)
        return [
            clip_item(clip.record) | {"similarity": round(clip.similarity, 3)} for clip in found
        ]

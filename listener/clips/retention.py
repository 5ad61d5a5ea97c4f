"""Removes clips that are too old or too many: the oldest first, those with a verdict last."""

import shutil
from pathlib import Path

from listener.clips.catalogue import Catalogue
from listener.clips.layout import audio_path
from listener.config.station import ClipsSettings
from listener.detection.clip_files import clip_bytes, remove_clip

_DAY_SECONDS = 86_400.0
_MEGABYTE = 10**6
_PORTION = 100  # clips that are removed in one transaction


class Retention:
    """Removes clips; the caller holds the store's lock. Clips with a verdict have no age limit."""

    def __init__(self, directory: Path, catalogue: Catalogue, settings: ClipsSettings) -> None:
        self._directory, self._catalogue, self._settings = directory, catalogue, settings

    def apply(self, now: float | None) -> None:
        """Apply the limits of age (since a clip was stored) and bytes.

        `now` is unix seconds; None: the clock cannot be trusted, and nothing is too old.
        """
        if now is not None:
            before_ns = round((now - self._settings.keep_days * _DAY_SECONDS) * 1e9)
            while old := self._catalogue.oldest(judged=False, limit=_PORTION, before_ns=before_ns):
                self._remove(old)
        bound = round(self._settings.keep_megabytes * _MEGABYTE)
        surplus = self._catalogue.totals().bytes - bound
        surplus -= self._free(surplus, judged=False)
        self._free(surplus, judged=True)

    def make_room(self, size: int) -> bool:
        """Remove clips without a verdict to free `size` bytes; whether any was removed."""
        return self._free(size, judged=False) > 0

    def keep_reserve(self, size: int = 0) -> bool:
        """Keep the disk's reserve and `size` bytes free; whether both are free now.

        Clips without a verdict are removed for it: events need the disk more.
        """
        if not self._settings.keep_free_megabytes:
            return True
        lacking = self._lacking(size)
        return lacking <= 0 or (self._free(lacking, judged=False) > 0 and self._lacking(size) <= 0)

    def _lacking(self, size: int) -> int:
        reserve = round(self._settings.keep_free_megabytes * _MEGABYTE)
        return reserve + size - shutil.disk_usage(self._directory).free

    def _free(self, size: int, *, judged: bool) -> int:
        """Remove the oldest clips to free at least `size` bytes; the bytes freed."""
        freed = 0
        while freed < size and (oldest := self._catalogue.oldest(judged=judged, limit=_PORTION)):
            chosen = []
            for clip_id in oldest:
                if freed >= size:
                    break
                freed += clip_bytes(audio_path(self._directory, clip_id))
                chosen.append(clip_id)
            self._remove(chosen)
        return freed

    def _remove(self, clip_ids: list[str]) -> None:
        # files first: on a full disk the index needs their room
        for clip_id in clip_ids:
            remove_clip(audio_path(self._directory, clip_id))
        self._catalogue.remove(clip_ids)

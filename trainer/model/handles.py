"""From a handle, what a user writes for a backbone, to a directory."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import tensorflow as tf

from trainer.errors import BackboneError

log = logging.getLogger(__name__)


def resolve_handle(handle: str) -> Path:
    """The directory of a SavedModel: the handle itself, or what TF Hub downloads for a URL.

    Raises:
        BackboneError: neither a directory nor a URL that TF Hub can resolve.
    """
    if Path(handle).is_dir():
        return Path(handle)
    if "://" not in handle:
        raise BackboneError(f"{handle}: expected a SavedModel directory or a TF Hub URL")
    log.info("resolving %s", handle)
    return Path(_resolve_with_hub(handle))


def _resolve_with_hub(handle: str) -> str:
    with warnings.catch_warnings():
        # tensorflow-hub 0.16.1 imports the deprecated pkg_resources
        warnings.simplefilter("ignore")
        import tensorflow_hub  # noqa: PLC0415 - needed only here, and only for a URL
    try:
        path: str = tensorflow_hub.resolve(handle)
    # no connection and a wrong archive are OSErrors; the others are schemes that are not supported
    except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
        raise BackboneError(f"{handle}: TF Hub cannot resolve it: {error}") from error
    return path

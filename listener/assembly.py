"""Builds the parts of a station from its settings; the one place that knows the concrete adapters."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial

import numpy as np

from listener.config import (
    ClipsSettings,
    ConfigError,
    DetectionSettings,
    EngineSettings,
    FileSettings,
    MicrophoneSettings,
    SourceSettings,
    StdinSettings,
    StreamSettings,
)
from listener.detection.bundle import Bundle, check_golden
from listener.detection.clip_cutter import CuttingPlan
from listener.detection.policy import LabelPolicy
from listener.detection.privacy import SPEECH_LABELS, PrivateScores
from listener.engines.engine import Engine
from listener.pipeline.capture import SourcePlan
from listener.pipeline.plan import ClipPlan, DetectionPlan
from listener.policies import choose_params, choose_policies
from listener.sources.source import AudioSource

log = logging.getLogger(__name__)


def open_engine(bundle: Bundle, settings: EngineSettings) -> Engine:
    """The engine that the settings name, with the bundle's model, after its golden check.

    Raises:
        BundleError: the model cannot be used, or does not give the golden scores.
        EngineError: the engine is not installed.
    """
    engine = _load_engine(bundle, settings)
    check_golden(bundle, engine.infer)
    return engine


def _load_engine(bundle: Bundle, settings: EngineSettings) -> Engine:
    # each engine is imported only when it is used: TensorFlow takes seconds and 400 MB
    if settings.kind == "tensorflow":
        from listener.engines.tensorflow import TensorFlowEngine  # noqa: PLC0415

        return TensorFlowEngine(bundle.saved_model_path, settings.threads)
    from listener.engines.litert import LiteRTEngine  # noqa: PLC0415

    return LiteRTEngine(bundle.model_path, settings.threads, settings.max_batch)


def make_detection_plan(
    bundle: Bundle,
    settings: DetectionSettings,
    namespace: str,
    clips: ClipsSettings | None = None,
) -> DetectionPlan:
    """What is looked for, and which clips are kept; `namespace` (the station) makes event ids its own.

    Raises:
        ConfigError: the settings name a label that the bundle has not, or impossible values.
    """
    policies = choose_policies(bundle, settings)
    columns = np.array([bundle.labels.index(slug) for slug in policies], np.intp)
    params = choose_params(bundle, settings)
    kept = None if clips is None or not clips.enabled else make_clip_plan(bundle, clips, policies)
    return DetectionPlan(params, policies, columns, bundle.id, namespace, clips=kept)


def make_clip_plan(
    bundle: Bundle, settings: ClipsSettings, policies: Mapping[str, LabelPolicy]
) -> ClipPlan:
    """Which clips are kept; `policies` are of the labels that are looked for.

    People are heard in all that the bundle knows, also in what is not looked for.

    Raises:
        ConfigError: a private label that the bundle has not.
    """
    for slug in settings.private_labels:
        if slug not in bundle.labels:
            raise ConfigError(f"clips.private_labels: {bundle.id} has no label {slug!r}")
    private = {*settings.private_labels, *(() if settings.keep_speech else SPEECH_LABELS)}
    columns = [column for column, slug in enumerate(bundle.labels) if slug in private]
    known = {**bundle.manifest.policies, **policies}
    thresholds = [known[bundle.labels[column]].off_threshold for column in columns]
    cutting = CuttingPlan(
        frozenset(policies) - private,
        settings.pre_seconds,
        settings.post_seconds,
        settings.max_seconds,
        settings.near_misses_per_hour,
        settings.ambient_per_hour,
    )
    scores = PrivateScores(np.array(columns, np.intp), np.array(thresholds, np.float32))
    return ClipPlan(cutting, scores)


def plan_source(settings: SourceSettings) -> SourcePlan:
    """How the pipeline runs a source."""
    lossless = isinstance(settings, FileSettings) and settings.pace == "fast"
    restarts = isinstance(settings, MicrophoneSettings) or (
        isinstance(settings, StreamSettings) and settings.at_end == "restart"
    )
    return SourcePlan(settings.name, partial(open_source, settings), lossless, restarts)


def open_source(settings: SourceSettings) -> AudioSource:
    """An open source.

    Raises:
        SourceError: it cannot be opened, or what it needs is not installed.
    """
    match settings:
        case MicrophoneSettings():
            from listener.sources.microphone import MicrophoneSource  # noqa: PLC0415

            return MicrophoneSource(settings)
        case FileSettings():
            from listener.sources.file import FileSource  # noqa: PLC0415

            return FileSource(settings)
        case StdinSettings():
            from listener.sources.stdin import StdinSource  # noqa: PLC0415

            return StdinSource(settings)
        case StreamSettings():
            from listener.sources.stream import StreamSource  # noqa: PLC0415

            return StreamSource(settings)

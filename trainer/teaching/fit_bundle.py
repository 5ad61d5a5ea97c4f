"""`trainer fit`: data sets in, a bundle out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from listener.detection.bundle import Bundle
from listener.detection.params import FeatureParams, Preprocessing
from trainer.config import Storage
from trainer.data.cache import EmbeddingCache
from trainer.data.clips import ClipTable, without_background
from trainer.data.files import find_licence
from trainer.data.folds import hold_back
from trainer.data.formats import read_clips
from trainer.errors import FitError
from trainer.evaluation.regression import RegressionSet, make_regression_set
from trainer.export import check_target
from trainer.labels import make_labels
from trainer.model.backbones import open_backbone
from trainer.model.progress import clips_bar, epochs_bar
from trainer.model.settings import Activation
from trainer.teaching.bundling import Origin, write_taught
from trainer.teaching.leak import measure_leak
from trainer.teaching.lesson import Lesson
from trainer.teaching.material import gather
from trainer.teaching.teach import Taught, split, teach

# From 0.48 s this raised nested validation on ESC-10 from 97.7 to 98.1 %; it doubles what the daemon
# computes.
FIT_HOP_SECONDS = 0.24


@dataclass(frozen=True, slots=True)
class FitRequest:
    """What `trainer fit` is asked for; no folds means all of them, no preprocessing the backbone's own.

    The validation fold is the last of the folds, unless it is named; with one fold there is none.
    """

    data: tuple[Path, ...]
    out: Path
    backbone: str
    cache: Path
    lesson: Lesson
    patch_hop_seconds: float = FIT_HOP_SECONDS
    preprocessing: Preprocessing | None = None
    timed: bool = False  # embeddings that tell when in a patch something sounds
    folds: tuple[int, ...] = ()
    validation_fold: int | None = None
    activation: Activation | None = None  # None: softmax, unless a clip has several labels
    storage: Storage = "float32"
    hold_back: bool = True  # a few clips, so that later bundles can be held to them
    licence: str | None = None  # of the data; None: what is found beside it


def fit_bundle(request: FitRequest) -> Bundle:
    """Read, embed, train, write.

    Raises:
        DataError, BackboneError, FitError, TargetError, ParityError, BundleError: one line on what is
            wrong.
    """
    check_target(request.out)
    table = read_clips(request.data)
    folds, validation_fold = choose_folds(table, request.folds, request.validation_fold)
    activation = request.activation or choose_activation(table)
    lesson = replace(request.lesson, fit=replace(request.lesson.fit, activation=activation))
    backbone = open_backbone(
        request.backbone,
        request.patch_hop_seconds,
        request.preprocessing,
        timed=request.timed,
    )
    learnt, held = hold_back(table, folds) if request.hold_back else (table.in_folds(*folds), None)
    with clips_bar() as report:
        cache = EmbeddingCache(request.cache)
        material = gather(learnt, backbone, cache, lesson, report)
    parts = split(material, folds, validation_fold)
    taught = teach(parts, backbone, lesson, epochs_bar)
    licences = {str(path): request.licence or find_licence(path) for path in request.data}
    origin = Origin(
        tuple(licences), licences, request.backbone, folds, validation_fold, request.timed
    )
    network = taught.network_on(backbone.build_net())
    leak = measure_leak(parts.both, lesson)
    regression = None if held is None else _keep(held, taught, backbone.features)
    return write_taught(
        request.out, network, taught, parts.both, lesson, origin, request.storage, leak, regression
    )


def _keep(held: ClipTable, taught: Taught, features: FeatureParams) -> RegressionSet | None:
    slugs = [label.slug for label in make_labels(taught.classes)]
    return make_regression_set(without_background(held), slugs, features)


def choose_activation(table: ClipTable) -> Activation:
    """Softmax where each clip has one label at most, else independent scores."""
    return "sigmoid" if any(len(clip.labels) > 1 for clip in table.clips) else "softmax"


def choose_folds(
    table: ClipTable, wanted: tuple[int, ...], validation: int | None
) -> tuple[tuple[int, ...], int | None]:
    """The folds to learn from, and which of them tells when to stop.

    Raises:
        FitError: a fold without clips, or a validation fold that is not one of the folds.
    """
    there = sorted({clip.fold for clip in table.clips})
    folds = tuple(wanted) or tuple(there)
    if missing := sorted(set(folds) - set(there)):
        raise FitError(f"folds: expected some of {there}, got {missing}")
    if validation is None:
        return folds, folds[-1] if len(folds) > 1 else None
    if validation not in folds or len(folds) == 1:
        raise FitError(
            f"validation fold: expected one of {list(folds)} and others to learn from, "
            f"got {validation}"
        )
    return folds, validation

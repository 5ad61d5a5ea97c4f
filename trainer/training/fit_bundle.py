"""`trainer fit`: data sets in, a bundle out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import keras

from listener.detection.bundle import Bundle, Manifest
from listener.detection.params import FeatureParams, Preprocessing
from listener.detection.policy import LabelPolicy
from trainer.config import Storage
from trainer.data.cache import EmbeddingCache
from trainer.data.clips import ClipTable, without_background
from trainer.data.files import find_licence
from trainer.data.folds import hold_out
from trainer.data.formats import read_clips
from trainer.errors import FitError
from trainer.evaluation.regression import REGRESSION_FILE, RegressionSet, make_regression_set
from trainer.export.bundle import check_target, export_bundle
from trainer.labels import make_labels, slug_of
from trainer.model.backbones import open_backbone
from trainer.model.progress import epochs_bar
from trainer.model.settings import Activation
from trainer.model_card import make_card
from trainer.provenance import Provenance, to_document
from trainer.terminal import clips_bar
from trainer.training.leakage import Leak, measure_leak
from trainer.training.recipe import Recipe
from trainer.training.sampling import MEMORY_FILE, memory_bytes, remember
from trainer.training.train import Trained, split, train
from trainer.training.training_set import TrainingSet, gather

# From 0.48 s this raised nested validation on ESC-10 from 97.7 to 98.1 %; it doubles what the daemon
# computes.
FIT_HOP_SECONDS = 0.24


# A taught network as a bundle.


DEFAULT_POLICY = LabelPolicy()  # until `trainer calibrate` has heard the user's own background


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a training began: the data sets, the handle of the backbone, and the folds.

    `licences` is by data set.
    """

    data: tuple[str, ...]
    licences: Mapping[str, str]
    backbone: str
    folds: tuple[int, ...]
    validation_fold: int | None
    timed: bool = False  # see `open_backbone`


def write_taught(
    out: Path,
    network: keras.Model,
    taught: Trained,
    learnt: TrainingSet,
    lesson: Recipe,
    origin: Origin,
    storage: Storage,
    leak: Leak | None = None,
    held_back: RegressionSet | None = None,
) -> Bundle:
    """Write the bundle of the taught network, its provenance and its card.

    A `leak` that was measured is shown as a warning; clips that were `held_back` go into the bundle.

    Raises:
        TargetError, ParityError, BundleError: see `export_bundle`.
    """
    labels = make_labels(taught.classes)
    manifest = Manifest(
        name=slug_of(out.name),
        version=1,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        labels=labels,
        policies={label.slug: DEFAULT_POLICY for label in labels},
        features=learnt.clips.features,
        activation=lesson.fit.activation,
        provenance=dict(_provenance(taught, learnt, lesson, origin, leak)),
    )
    files = {} if held_back is None else {REGRESSION_FILE: held_back.to_bytes()}
    if taught.thawed is None:  # else these are not the embeddings that the bundle will give
        files[MEMORY_FILE] = memory_bytes(remember(learnt.clips))
    return export_bundle(out, network, manifest, make_card(manifest), storage, files=files)


def _provenance(
    taught: Trained, learnt: TrainingSet, lesson: Recipe, origin: Origin, leak: Leak | None
) -> Provenance:
    first = taught.histories[0].best
    known = Provenance(
        data=origin.data,
        licences=origin.licences,
        backbone=origin.backbone,
        folds=origin.folds,
        validation_fold=origin.validation_fold,
        timed=origin.timed,
        clips=len(learnt.clips.clips),
        left_out=[f"{each.path}: {each.reason}" for each in learnt.clips.quarantined],
        validation=str(first) if first.accuracy is not None else "none",
        learning_curves=[to_document(each.epochs) for each in taught.histories],
        lesson=asdict(lesson),
        training_files=sorted({embedded.digest for embedded in learnt.clips.clips}),
    )
    if leak is not None:
        known["leak"] = to_document(leak)
    return known


@dataclass(frozen=True, slots=True)
class FitRequest:
    """What `trainer fit` is asked for; no folds means all of them, no preprocessing the backbone's own.

    The validation fold is the last of the folds, unless it is named; with one fold there is none.
    """

    data: tuple[Path, ...]
    out: Path
    backbone: str
    cache: Path
    lesson: Recipe
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
    learnt, held = hold_out(table, folds) if request.hold_back else (table.in_folds(*folds), None)
    with clips_bar() as report:
        cache = EmbeddingCache(request.cache)
        material = gather(learnt, backbone, cache, lesson, report)
    parts = split(material, folds, validation_fold)
    taught = train(parts, backbone, lesson, epochs_bar)
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


def _keep(held: ClipTable, taught: Trained, features: FeatureParams) -> RegressionSet | None:
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

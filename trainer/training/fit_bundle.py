"""`trainer fit`: data sets in, a bundle out."""

import logging
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from listener.detection import bundle, params
from trainer.config import Storage
from trainer.data.alike import warn_of_alike_takes
from trainer.data.cache import EmbeddingCache
from trainer.data.clips import BACKGROUND, ClipTable, without_background
from trainer.data.duration import taught_policies
from trainer.data.files import find_licence
from trainer.data.folds import hold_out_clips
from trainer.data.formats import read_clips
from trainer.evaluation.regression import REGRESSION_FILE, make_regression_set
from trainer.export.bundle import check_target, export_bundle
from trainer.formatting import STATION, station_line
from trainer.labels import make_labels, slug_of
from trainer.model import backbones, progress, settings
from trainer.model_card import make_card
from trainer.provenance import Provenance, to_document
from trainer.terminal import clips_bar
from trainer.training import fit_data
from trainer.training.leakage import measure_leak
from trainer.training.recipe import Recipe
from trainer.training.sampling import MEMORY_FILE, draw_memory, memory_bytes
from trainer.training.train import Split, Trained, split, train
from trainer.training.training_set import TrainingSet, make_training_set
from trainer.training.validation_events import validation_events

log = logging.getLogger(__name__)

log = logging.getLogger(__name__)

# From 0.48 s this raised nested validation on ESC-10 from 97.7 to 98.1 %; it doubles what the daemon
# computes.
FIT_HOP_SECONDS = 0.24


@dataclass(frozen=True, slots=True)
class FitRequest:
    """What `trainer fit` is asked for; no folds means all of them, no preprocessing the backbone's own.

    The validation fold is chosen by `choose_folds`, unless it is named; with one fold there is none.
    """

    data: tuple[Path, ...]
    out: Path
    backbone: str
    cache: Path
    recipe: Recipe
    patch_hop_seconds: float = FIT_HOP_SECONDS
    preprocessing: params.Preprocessing | None = None
    timed: bool = (
        False  # embeddings that tell when in a patch something sounds, see `open_backbone`
    )
    folds: tuple[int, ...] = ()
    validation_fold: int | None = None
    activation: settings.Activation | None = None  # None: softmax, unless a clip has several labels
    storage: Storage = "float32"
    hold_back: bool = True  # keep a few clips in the bundle, to check later bundles for regressions
    licence: str | None = None  # of the data; None: what is found beside it


def fit_bundle(request: FitRequest) -> bundle.Bundle:
    """Read, embed, train, write.

    Raises:
        DataError, BackboneError, FitError, TargetError, ParityError, BundleError: one line on what is
            wrong.
    """
    check_target(request.out)
    table = read_clips(request.data)
    fit_data.show_classes(table)
    folds, validation_fold = fit_data.choose_folds(table, request.folds, request.validation_fold)
    activation = request.activation or choose_activation(table)
    recipe = replace(request.recipe, fit=replace(request.recipe.fit, activation=activation))
    backbone = backbones.open_backbone(
        request.backbone, request.patch_hop_seconds, request.preprocessing, timed=request.timed
    )
    used, held = (
        hold_out_clips(table, folds) if request.hold_back else (table.in_folds(*folds), None)
    )
    fit_data.show_folds(table, used, folds, validation_fold)
    with clips_bar() as report:
        cache = EmbeddingCache(request.cache)
        training_set = make_training_set(used, backbone, cache, recipe, report)
    warn_of_alike_takes(training_set.clips, training_set.classes)
    parts = split(training_set, folds, validation_fold)
    names = [name for name in parts.both.classes if name != BACKGROUND]
    first = taught_policies(used, make_labels(names), backbone.features)
    bases = dict(zip(names, first.values(), strict=True))  # by class; thresholds are placed later
    trained = train(parts, backbone, recipe, progress.epochs_bar, bases)
    validation = _validation(trained, parts)
    labels = make_labels(trained.classes)
    manifest = bundle.Manifest(
        name=slug_of(request.out.name),
        version=1,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        labels=labels,
        policies={  # until `trainer calibrate` measures the user's own background
            label.slug: trained.policies.get(name, bases[name])
            for label, name in zip(labels, trained.classes, strict=True)
        },
        features=backbone.features,
        activation=activation,
        provenance={
            **_provenance(request, recipe, folds, validation_fold, parts.both, trained),
            "validation": validation,
        },
    )
    if (station := validation_events(trained, parts, manifest.policies)) is not None:
        found = to_document(station)
        log.info("%s, validation clips: %s", STATION, station_line(found))
        manifest = replace(manifest, provenance=manifest.provenance | {"station": found})
    log.info("validation: %s", validation)
    network = trained.network_on(backbone.build_net())
    files = _held_files(manifest, held)
    if trained.thawed is None:  # else these are not the embeddings that the bundle will give
        files[MEMORY_FILE] = memory_bytes(draw_memory(parts.both.clips))
    card = make_card(manifest)
    return export_bundle(request.out, network, manifest, card, request.storage, files=files)


def _provenance(
    request: FitRequest,
    recipe: Recipe,
    folds: tuple[int, ...],
    validation_fold: int | None,
    training_set: TrainingSet,
    trained: Trained,
) -> Provenance:
    clips = training_set.clips
    leak = measure_leak(training_set, recipe)
    licences = {str(path): request.licence or find_licence(path) for path in request.data}
    known = Provenance(
        data=list(licences),
        licences=licences,
        backbone=request.backbone,
        folds=folds,
        validation_fold=validation_fold,
        timed=request.timed,
        clips=len(clips.clips),
        left_out=[f"{each.path}: {each.reason}" for each in clips.quarantined],
        learning_curves=[to_document(each.epochs) for each in trained.histories],
        lesson=asdict(recipe),
        training_files=sorted({embedded.digest for embedded in clips.clips}),
    )
    if trained.choice is not None:
        known["head"] = trained.choice
    if leak is not None:
        known["leak"] = to_document(leak)
    return known


def _validation(trained: Trained, parts: Split) -> str:
    """What the validation figure is of; a thawed network's is that of its epoch."""
    if trained.choice is not None:
        return fit_data.name_validation(
            trained.held, trained.choice["accuracy"], trained.choice["kept"]
        )
    clips = () if parts.validation is None else parts.validation.clips.table.clips
    best = trained.histories[0].best
    return fit_data.name_validation(clips, best.accuracy, "network, when it stopped")


def _held_files(manifest: bundle.Manifest, held: ClipTable | None) -> dict[str, bytes]:
    """The regression set of clips that were held back, if there are any that can be read."""
    if held is None:
        return {}
    slugs = [label.slug for label in manifest.labels]
    regression = make_regression_set(without_background(held), slugs, manifest.features)
    return {} if regression is None else {REGRESSION_FILE: regression.to_bytes()}


def choose_activation(table: ClipTable) -> settings.Activation:
    """Softmax where each clip has one label at most, else independent scores.

    One class alone is told from everything else, so its score is independent, too.
    """
    several = any(len(clip.labels) > 1 for clip in table.clips)
    alone = len(set(table.classes) - {BACKGROUND}) == 1
    return "sigmoid" if several or alone else "softmax"

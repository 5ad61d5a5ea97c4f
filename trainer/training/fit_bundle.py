"""`trainer fit`: data sets in, a bundle out."""

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from listener.detection import bundle, params
from trainer.config import Storage
from trainer.data.cache import EmbeddingCache
from trainer.data.clips import BACKGROUND, ClipTable, without_background
from trainer.data.files import find_licence
from trainer.data.folds import hold_out_clips
from trainer.data.formats import read_clips
from trainer.errors import FitError
from trainer.evaluation.regression import REGRESSION_FILE, make_regression_set
from trainer.export.bundle import check_target, export_bundle
from trainer.labels import make_labels, slug_of
from trainer.model import backbones, progress, settings
from trainer.model_card import make_card
from trainer.provenance import Provenance, to_document
from trainer.terminal import clips_bar
from trainer.training.held_scores import DEFAULT_POLICY
from trainer.training.leakage import measure_leak
from trainer.training.recipe import Recipe
from trainer.training.sampling import MEMORY_FILE, draw_memory, memory_bytes
from trainer.training.train import Trained, split, train
from trainer.training.training_set import TrainingSet, make_training_set

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
    folds, validation_fold = choose_folds(table, request.folds, request.validation_fold)
    activation = request.activation or choose_activation(table)
    recipe = replace(request.recipe, fit=replace(request.recipe.fit, activation=activation))
    backbone = backbones.open_backbone(
        request.backbone, request.patch_hop_seconds, request.preprocessing, timed=request.timed
    )
    used, held = (
        hold_out_clips(table, folds) if request.hold_back else (table.in_folds(*folds), None)
    )
    with clips_bar() as report:
        cache = EmbeddingCache(request.cache)
        training_set = make_training_set(used, backbone, cache, recipe, report)
    parts = split(training_set, folds, validation_fold)
    trained = train(parts, backbone, recipe, progress.epochs_bar)
    labels = make_labels(trained.classes)
    manifest = bundle.Manifest(
        name=slug_of(request.out.name),
        version=1,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        labels=labels,
        policies={
            label.slug: trained.policies.get(name, DEFAULT_POLICY)
            for label, name in zip(labels, trained.classes, strict=True)
        },
        features=backbone.features,
        activation=activation,
        provenance=dict(_provenance(request, recipe, folds, validation_fold, parts.both, trained)),
    )
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
        validation=_validation(trained),
        learning_curves=[to_document(each.epochs) for each in trained.histories],
        lesson=asdict(recipe),
        training_files=sorted({embedded.digest for embedded in clips.clips}),
    )
    if trained.choice is not None:
        known["head"] = trained.choice
    if leak is not None:
        known["leak"] = to_document(leak)
    return known


def _validation(trained: Trained) -> str:
    """What was found on clips that the judged head was not trained on, in words."""
    head = trained.choice
    if head is not None and head["accuracy"] is not None:
        return (
            f"{head['kept']}, accuracy {100 * head['accuracy']:.1f} % of {head['clips']} clips, "
            f"calibration error {100 * head['calibration_error']:.1f} %"
        )
    first = trained.histories[0].best if trained.histories else None
    return "none" if first is None or first.accuracy is None else str(first)


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


def choose_folds(
    table: ClipTable, wanted: tuple[int, ...], validation: int | None
) -> tuple[tuple[int, ...], int | None]:
    """The folds to train on, and which of them early stopping is judged by.

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
            f"validation fold: expected one of {list(folds)} and others to train on, "
            f"got {validation}"
        )
    return folds, validation

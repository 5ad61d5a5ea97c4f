"""`trainer search`: data sets in, the best recipe out."""

import hashlib
import json
import logging
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import optuna
from optuna.distributions import distribution_to_json
from optuna.exceptions import StorageInternalError

from listener.detection.params import Preprocessing
from trainer.config import Sampler
from trainer.data.cache import EmbeddingCache
from trainer.data.formats import read_clips
from trainer.errors import SearchError, StorageError
from trainer.model import backbones, settings
from trainer.search import objective as objectives
from trainer.search import progress, worker
from trainer.search.objective import HeldOutFolds
from trainer.search.storage import open_storage, open_study
from trainer.training.fit_bundle import FIT_HOP_SECONDS, choose_activation
from trainer.training.fit_data import choose_folds
from trainer.training.recipe import Recipe, write_recipe

BEST_FILE = "best.json"
JOURNAL_FILE = "study.journal"
PLOTS_FOLDER = "plots"
_MIN_FOLDS = 2


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """The arguments of `trainer search`; no folds means all, no storage a journal file in `out`.

    `trials` are those of the study, in all processes; `base` is the recipe that they vary.
    """

    data: tuple[Path, ...]
    out: Path
    backbone: str
    cache: Path
    trials: int
    study: str
    storage: str | None = None
    sampler: Sampler = "tpe"
    base: Recipe = field(default_factory=Recipe)
    most_thawed: int = 0
    patch_hop_seconds: float = FIT_HOP_SECONDS
    preprocessing: Preprocessing | None = None
    folds: tuple[int, ...] = ()
    activation: settings.Activation | None = None
    grace_seconds: float = 60.0


def search_recipe(request: SearchRequest) -> Path:
    """Take part in a study until it has all its trials; the path of the best recipe.

    Raises:
        DataError, BackboneError, FitError, SearchError: one line on what is wrong.
        StorageError: the storage cannot be opened, or was lost.
    """
    # Optuna's warnings go through our log handler; the lines on trials are ours
    optuna.logging.disable_default_handler()
    optuna.logging.enable_propagation()
    optuna.logging.set_verbosity(logging.WARNING)
    try:
        with open_storage(request.storage or str(request.out / JOURNAL_FILE)) as storage:
            objective = _open_objective(request)
            space = objectives.make_space(request.most_thawed)
            study = open_study(storage, request.study, _describe(request, objective, space))
            plan = worker.make_plan(request.sampler, request.trials, space, request.base.seed)
            lines = progress.TrialLines(study, plan.count, len(objective.folds))
            worker.Worker(study, plan, objective, request.grace_seconds).run(lines)
            return _write_best(request, study, objective)
    except StorageInternalError as error:
        raise StorageError(f"storage: lost: {error.__cause__ or error}") from error


def _open_objective(request: SearchRequest) -> HeldOutFolds:
    table = read_clips(request.data)
    folds = tuple(sorted(set(choose_folds(table, request.folds, None)[0])))
    if len(folds) < _MIN_FOLDS:
        raise SearchError(
            f"folds: expected at least {_MIN_FOLDS}, as each is held out in turn, got {list(folds)}"
        )
    activation = request.activation or choose_activation(table)
    base = replace(request.base, fit=replace(request.base.fit, activation=activation))
    backbone = backbones.open_backbone(
        request.backbone, request.patch_hop_seconds, request.preprocessing
    )
    cache = EmbeddingCache(request.cache)
    training_sets = objectives.TrainingSets(table.in_folds(*folds), backbone, cache)
    return HeldOutFolds(folds, base, training_sets)


def _describe(
    request: SearchRequest, objective: HeldOutFolds, space: objectives.Space
) -> dict[str, str]:
    """What all trials of a study have in common; `data` is a SHA-256 of clips, labels and folds."""
    rows = [
        [each.digest, each.clip.onset, each.seconds, each.clip.fold, sorted(each.clip.labels)]
        for each in objective.training_sets.of(objective.base).clips.clips
    ]
    presets = {name: asdict(preset) for name, preset in objectives.AUGMENTATIONS.items()}
    ranges = {name: distribution_to_json(each) for name, each in space.items()}
    return {
        "data": hashlib.sha256(json.dumps(sorted(rows)).encode()).hexdigest(),
        "folds": ", ".join(map(str, objective.folds)),
        "backbone": objective.training_sets.backbone.id,
        "space": json.dumps({"ranges": ranges, "augmentations": presets}, sort_keys=True),
        "settings": json.dumps(asdict(objective.base), sort_keys=True),
        "sampler": request.sampler,
    }


def _write_best(request: SearchRequest, study: optuna.Study, objective: HeldOutFolds) -> Path:
    best = progress.best_of(study)
    if best is None:
        raise SearchError(f"study {request.study}: expected a complete trial, found none")
    found = {
        "accuracy": best.values[0],
        "folds": objective.folds,
        "study": request.study,
        "backbone": request.backbone,
        "patch_hop_seconds": request.patch_hop_seconds,
    }
    request.out.mkdir(parents=True, exist_ok=True)
    path = request.out / BEST_FILE
    write_recipe(path, objectives.make_recipe(best.params, objective.base), found)
    progress.write_plots(study, request.out / PLOTS_FOLDER)
    return path
